/**
 * The keeper: keeps a worker's heartbeat going while it consumes or holds messages, whether it fetches or not, and
 * looks after its queues: puts back what dead workers held, deletes dead letters whose time is over, and forgets
 * workers that are long gone.
 */
import { getLogger } from '../../lib/logger.js'
import type { Hand, Owner } from './hand.js'
import type { Client } from './link.js'
import { script } from './scripts.js'

/** Python's workers take one of ours for dead after a minute, whatever our own setting is. */
const longestPause = 15_000
const sweepPause = 3_600_000
const mostAtOnce = 500

type Dead = readonly [worker: string, beat: number]

export class Keeper {
  readonly #owner: Owner
  readonly #hands: ReadonlyMap<string, Hand>
  readonly #heartbeatTimeout: number
  readonly #deadMessageTtl: number
  /** Dead workers by the heartbeat and queue at which nothing of theirs was found any more. */
  readonly #done = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #sweptAt = Date.now()
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
    this.#timer = setInterval(() => {
      this.#round ??= this.#keep().finally(() => {
        this.#round = undefined
      })
    }, pause).unref()
  }

  /** Ends, and takes the worker's name off the heartbeats where it holds nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    await this.#round
    if (!this.#timer || [...this.#hands.values()].some(({ held }) => held.size > 0)) return
    const { link, keys, worker } = this.#owner
    await link.call((client) => client.zrem(keys.heartbeats, worker), 1000).catch(() => {})
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
    const [lost, ...sizes] = (await link.run(
      script('heartbeat'),
      [keys.heartbeats, ...acks],
      [worker, Date.now()],
    )) as number[]
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
    const threshold = Date.now() - this.#heartbeatTimeout
    const dead = known ?? (await this.#dead())
    for (const [worker, beat] of dead) {
      const mark = `${worker}.${queue.queueName}`
      if (this.#done.get(mark) === beat) continue
      const { messages, taken, deliveries, begun, wake, lists } = queue
      const rest = [taken, deliveries, begun, wake]
      const acks = keys.acks(worker, queue.queueName)
      const delayAcks = keys.acks(worker, queue.delayQueueName)
      await this.#recover([keys.heartbeats, acks, messages, ...rest, ...lists], worker, threshold, queue.queueName)
      await this.#recover(
        [keys.heartbeats, delayAcks, queue.delayQueueMessages, ...rest, queue.delayQueue],
        worker,
        threshold,
        queue.delayQueueName,
      )
      this.#done.set(mark, beat)
    }
    const { dead: letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries } = queue
    const tidy = [letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries]
    await link.run(script('tidy'), tidy, [Date.now() - this.#deadMessageTtl])
  }

  /** Workers that weren't heard of for too long. */
  async #dead(): Promise<Dead[]> {
    const { link, keys } = this.#owner
    const threshold = Date.now() - this.#heartbeatTimeout
    const answer = await link.call((client) => client.zrangebyscore(keys.heartbeats, '-inf', threshold, 'WITHSCORES'))
    const dead: Dead[] = []
    for (let at = 0; at < answer.length; at += 2) dead.push([answer[at] as string, Number(answer[at + 1])])
    // What we remember of workers that Redis has forgotten, we forget too.
    if (dead.length === 0) this.#done.clear()
    return dead
  }

  async #recover(keys: string[], worker: string, threshold: number, queueName: string): Promise<void> {
    let count = 0
    for (let found = mostAtOnce; found === mostAtOnce; count += found) {
      found = (await this.#owner.link.run(script('recover'), keys, [worker, threshold, mostAtOnce])) as number
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
    const threshold = Date.now() - Math.max(this.#heartbeatTimeout, 60_000)
    const dead = (await this.#dead()).map(([worker]) => worker)
    if (dead.length === 0) return
    const holders = await link.call((client) => scanAll(client, `${escapeGlob(keys.acksPrefix)}*`), 60_000)
    const idle = dead.filter((worker) => !holders.some((key) => key.startsWith(`${keys.acksPrefix}${worker}.`)))
    if (idle.length > 0) await link.run(script('forget-worker'), [keys.heartbeats], [threshold, ...idle])
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
