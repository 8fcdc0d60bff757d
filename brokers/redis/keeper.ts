/**
 * The keeper: keeps a worker's heartbeat going while it consumes or holds messages, whether it fetches or not, and
 * looks after its queues: puts back what dead workers held, deletes dead letters whose time is over, and forgets
 * workers that are long gone.
 */
import { getLogger } from '../../lib/logger.js'
import type { Hand, Owner } from './hand.js'
import type { QueueKeys } from './keys.js'
import type { Client } from './link.js'
import { script } from './scripts.js'

/** Python's workers take one of ours for dead after a minute, whatever our own setting is. */
const longestPause = 15_000
const sweepPause = 3_600_000
const mostAtOnce = 500
/** How many dead letters one call deletes. */
const mostLetters = 1000

type Dead = readonly [worker: string, beat: number]

export class Keeper {
  readonly #owner: Owner
  readonly #hands: ReadonlyMap<string, Hand>
  readonly #heartbeatTimeout: number
  readonly #deadMessageTtl: number
  /** Dead workers, by the heartbeat at which nothing of theirs was found any more on these queues. */
  readonly #done = new Map<string, { readonly beat: number; readonly queues: Set<string> }>()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  /** Hears of new connections no more. */
  #deafen = (): void => {}
  /** As if it had begun long ago: or else processes that don't get an hour old would never sweep. */
  #sweptAt = Date.now() - Math.random() * sweepPause
  #closed = false

  constructor(
    owner: Owner,
    hands: ReadonlyMap<string, Hand>,
    { heartbeatTimeout, deadMessageTtl }: { heartbeatTimeout: number; deadMessageTtl: number },
  ) {
    this.#owner = owner
    this.#hands = hands
    this.#heartbeatTimeout = heartbeatTimeout
    this.#deadMessageTtl = deadMessageTtl
  }

  /** Begins with the first consumer; goes on while there are consumers or something is in hand. */
  start(): void {
    if (this.#timer || this.#closed) return
    const pause = Math.max(10, Math.min(this.#heartbeatTimeout / 4, longestPause))
    this.#timer = setInterval(() => this.#begin(), pause).unref()
    this.#deafen = this.#owner.link.onReconnect(() => {
      for (const hand of this.#hands.values()) hand.doubt()
      this.#begin()
    })
  }

  #begin(): void {
    this.#round ??= this.#keep().finally(() => {
      this.#round = undefined
    })
  }

  /** Ends, and takes the worker's name off the heartbeats where it holds nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    this.#deafen()
    await this.#round
    const hands = [...this.#hands.values()]
    if (!this.#timer || hands.some(({ held }) => held.size > 0)) return
    const { link, keys, worker } = this.#owner
    // Redis knows better what is held: a fetch may be on its way.
    const all = [keys.heartbeats, ...hands.flatMap(({ acks, delayQueueAcks }) => [acks, delayQueueAcks])]
    await link.run(script('retire'), all, [worker], { timeout: 1000 }).catch(() => {})
  }

  async #keep(): Promise<void> {
    const hands = [...this.#hands.values()].filter(({ consumers, held }) => consumers > 0 || held.size > 0)
    if (hands.length === 0) return
    try {
      await this.#beat(hands)
      const dead = await this.#dead()
      for (const hand of hands) if (hand.consumers > 0) await this.lookAfter(hand, dead)
      if (Date.now() - this.#sweptAt > sweepPause) await this.#sweep()
    } catch (error) {
      if (!this.#closed) getLogger().debug({ err: error }, 'The heartbeat did not reach Redis; trying again')
    }
  }

  async #beat(hands: readonly Hand[]): Promise<void> {
    const { link, keys, worker } = this.#owner
    const marks = hands.map((hand) => hand.mark)
    const acks = hands.map((hand) => hand.acks)
    const [lost, ...sizes] = (await link.run(script('heartbeat'), [keys.heartbeats, ...acks], [worker])) as number[]
    if (lost === 1 && hands.some(({ held }) => held.size > 0)) {
      getLogger().warn(
        { worker },
        'This worker was silent for too long and taken for dead; others may have its messages',
      )
    }
    hands.forEach((hand, index) => {
      hand.check(marks[index], sizes[index] as number)
    })
    for (const hand of hands) await hand.reclaim()
  }

  /** Recovers what dead workers held of a queue, and deletes what is over. */
  async lookAfter({ queue }: Hand, known?: readonly Dead[]): Promise<void> {
    const { link, keys } = this.#owner
    const dead = (known ?? (await this.#dead())).filter((one) => !this.#isDone(one, queue))
    for (let at = 0; at < dead.length; at += mostAtOnce) {
      const some = dead.slice(at, at + mostAtOnce)
      const acks = some.map(([worker]) => [keys.acks(worker, queue.queueName), keys.acks(worker, queue.delayQueueName)])
      const holders = (await link.run(script('holders'), acks.flat(), [])) as number[]
      for (const [index, one] of some.entries()) {
        if (holders[index] !== 0) await this.#recoverAll(one[0], queue)
        this.#setDone(one, queue)
      }
    }
    const { dead: letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries } = queue
    const tidy = [letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries]
    for (let deleted = mostLetters; deleted === mostLetters; ) {
      deleted = (await link.run(script('tidy'), tidy, [Date.now() - this.#deadMessageTtl, mostLetters])) as number
    }
  }

  #isDone([worker, beat]: Dead, { queueName }: QueueKeys): boolean {
    const done = this.#done.get(worker)
    return done?.beat === beat && done.queues.has(queueName)
  }

  #setDone([worker, beat]: Dead, { queueName }: QueueKeys): void {
    const done = this.#done.get(worker)
    if (done?.beat === beat) done.queues.add(queueName)
    else this.#done.set(worker, { beat, queues: new Set([queueName]) })
  }

  /** Workers that weren't heard of for too long. */
  async #dead(): Promise<Dead[]> {
    const { link, keys } = this.#owner
    const answer = (await link.run(script('dead-workers'), [keys.heartbeats], [this.#heartbeatTimeout])) as string[]
    const dead: Dead[] = []
    for (let at = 0; at < answer.length; at += 2) dead.push([answer[at] as string, Number(answer[at + 1])])
    // What we remember of workers that Redis has forgotten, we forget too.
    const present = new Set(dead.map(([worker]) => worker))
    for (const worker of this.#done.keys()) if (!present.has(worker)) this.#done.delete(worker)
    return dead
  }

  async #recoverAll(worker: string, queue: QueueKeys): Promise<void> {
    const { heartbeats } = this.#owner.keys
    const { queueName, messages, lists, delayQueueName, delayQueueMessages, delayQueue } = queue
    const rest = [queue.taken, queue.deliveries, queue.begun, queue.wake]
    const acks = (name: string): string => this.#owner.keys.acks(worker, name)
    await this.#recover([heartbeats, acks(queueName), messages, ...rest, ...lists], worker, queueName)
    const delayKeys = [heartbeats, acks(delayQueueName), delayQueueMessages, ...rest, delayQueue]
    await this.#recover(delayKeys, worker, delayQueueName)
  }

  async #recover(keys: string[], worker: string, queueName: string): Promise<void> {
    let count = 0
    for (let found = mostAtOnce; found === mostAtOnce; count += found) {
      const args = [worker, this.#heartbeatTimeout, mostAtOnce]
      found = (await this.#owner.link.run(script('recover'), keys, args)) as number
    }
    if (count > 0)
      getLogger().warn({ worker, queueName, count }, 'A worker is lost; its messages are back on their queue')
  }

  /**
   * Drops dead workers that hold nothing on any queue from the heartbeats; without it they'd gather there where no
   * Python worker does it. Every process that ever sent something from Python is one. Looks at all keys, so seldom.
   */
  async #sweep(): Promise<void> {
    this.#sweptAt = Date.now()
    const { keys, link } = this.#owner
    const silence = Math.max(this.#heartbeatTimeout, 60_000)
    const dead = (await this.#dead()).map(([worker]) => worker)
    if (dead.length === 0) return
    const holders = await link.call((client) => scanAll(client, `${escapeGlob(keys.acksPrefix)}*`), 60_000)
    const idle = dead.filter((worker) => !holders.some((key) => key.startsWith(`${keys.acksPrefix}${worker}.`)))
    if (idle.length > 0) await link.run(script('forget-worker'), [keys.heartbeats], [silence, ...idle])
  }
}

async function scanAll(client: Client, pattern: string): Promise<string[]> {
  const found: string[] = []
  const nodes = 'nodes' in client ? client.nodes('master') : [client]
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, page] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1000)
      found.push(...page)
      cursor = next
    } while (cursor !== '0')
  }
  return found
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&')
}
