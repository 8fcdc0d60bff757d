/**
 * The keeper: looks after a worker's queues after every heartbeat (`heartbeat.ts`), for as long as that takes: gives
 * back what was taken by calls whose answers were lost, puts back what dead workers held, deletes dead letters whose
 * time is over, and forgets workers that are long gone.
 */
import { getLogger } from '../../lib/logger.js'
import { atMost, startTimer } from '../../lib/time.js'
import type { Client } from './client.js'
import type { Hand, Owner } from './hand.js'
import { Heartbeat } from './heartbeat.js'
import type { QueueKeys } from './keys.js'
import { type Lost, LostWorkers } from './lost-workers.js'
import { script } from './scripts.js'

const sweepPause = 3_600_000
const mostAtOnce = 500
/** How many dead letters one call deletes. */
const mostLetters = 1000
/** How long the end of a broker waits for Redis, at each of its steps, in milliseconds. */
const lastPatience = 1000

export class Keeper {
  readonly #owner: Owner
  readonly #hands: ReadonlyMap<string, Hand>
  readonly #heartbeat: Heartbeat
  readonly #lost: LostWorkers
  /** Looks once more before the next heartbeat. */
  #lookAgain: NodeJS.Timeout | undefined
  readonly #heartbeatTimeout: number
  readonly #deadMessageTtl: number
  /** Dead workers, by the heartbeat at which nothing of theirs was found any more on these queues. */
  readonly #done = new Map<string, { readonly beat: number; readonly queues: Set<string> }>()
  #started = false
  #round: Promise<void> | undefined
  /** As if it had begun long ago: or else processes that don't get an hour old would never sweep. */
  #sweptAt = performance.now() - Math.random() * sweepPause
  #closed = false

  constructor(
    owner: Owner,
    hands: ReadonlyMap<string, Hand>,
    { heartbeatTimeout, deadMessageTtl }: { heartbeatTimeout: number; deadMessageTtl: number },
    connectTimeout?: number,
  ) {
    this.#owner = owner
    this.#hands = hands
    this.#heartbeatTimeout = heartbeatTimeout
    this.#deadMessageTtl = deadMessageTtl
    const surroundings = {
      hands: () => this.#busyHands(),
      onReconnect: () => {
        for (const hand of this.#hands.values()) hand.doubt()
      },
      onBeat: () => this.#begin(),
    }
    this.#heartbeat = new Heartbeat(owner, heartbeatTimeout, surroundings, connectTimeout)
    this.#lost = new LostWorkers(owner, this.#heartbeat, heartbeatTimeout)
  }

  /** Begins with the first consumer; goes on while there are consumers or something is, or may be, in hand. */
  start(): void {
    if (this.#closed) return
    this.#started = true
    this.#heartbeat.start()
  }

  #busyHands(): Hand[] {
    return [...this.#hands.values()].filter((hand) => hand.consumers > 0 || hand.held.size > 0 || hand.isDoubtful)
  }

  /** Ends, and takes the worker's name off the heartbeats where it holds nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#lookAgain)
    if (!this.#started) return
    const hands = [...this.#hands.values()]
    await atMost(lastPatience, Promise.all([this.#heartbeat.stop(), this.#round]))
    try {
      await Promise.all(hands.map((hand) => hand.reclaim(lastPatience)))
      if (hands.some(({ held }) => held.size > 0)) return
      const { link, keys, worker } = this.#owner
      // Redis knows better what is held: a fetch may be on its way.
      const all = [
        keys.heartbeats,
        keys.connection(worker),
        ...hands.flatMap(({ acks, delayQueueAcks }) => [acks, delayQueueAcks]),
      ]
      await link.run(script('retire'), all, [worker], { timeout: lastPatience })
    } catch {
      // The name stays, and by it others find what may be held.
    }
  }

  #begin(): void {
    if (this.#closed) return
    this.#round ??= this.#keep()
      .catch((error) => {
        if (!this.#closed) getLogger().debug({ err: error }, 'The queues could not be looked after; trying again')
      })
      .finally(() => {
        this.#round = undefined
      })
  }

  async #keep(): Promise<void> {
    const hands = this.#busyHands()
    for (const hand of hands) await hand.reclaim()
    const lost = await this.#findLost()
    for (const hand of hands) if (hand.consumers > 0) await this.lookAfter(hand, lost)
    if (performance.now() - this.#sweptAt > sweepPause) await this.#sweep()
  }

  /** Recovers what lost workers held of a queue, and deletes what is over. */
  async lookAfter({ queue }: Hand, known?: readonly Lost[]): Promise<void> {
    await this.#recoverFrom(known ?? (await this.#findLost()), queue)
    const { dead: letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries } = queue
    const tidy = [letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries]
    const { link } = this.#owner
    for (let deleted = mostLetters; deleted === mostLetters && !this.#closed; ) {
      deleted = (await link.run(script('tidy'), tidy, [Date.now() - this.#deadMessageTtl, mostLetters])) as number
    }
  }

  async #recoverFrom(known: readonly Lost[], queue: QueueKeys): Promise<void> {
    const { link, keys } = this.#owner
    const dead = known.filter((one) => !this.#isDone(one, queue))
    for (let at = 0; at < dead.length; at += mostAtOnce) {
      const some = dead.slice(at, at + mostAtOnce)
      const acks = some.map(({ worker }) => [
        keys.acks(worker, queue.queueName),
        keys.acks(worker, queue.delayQueueName),
      ])
      const holders = (await link.run(script('holders'), acks.flat(), [])) as number[]
      for (const [index, one] of some.entries()) {
        // The connection may have been lost and made anew since they were found.
        if (!this.#lost.holds(one)) continue
        if (holders[index] !== 0) await this.#recoverAll(one, queue)
        if (this.#lost.holds(one)) this.#setDone(one, queue)
      }
    }
  }

  #isDone({ worker, beat }: Lost, { queueName }: QueueKeys): boolean {
    const done = this.#done.get(worker)
    return done?.beat === beat && done.queues.has(queueName)
  }

  #setDone({ worker, beat }: Lost, { queueName }: QueueKeys): void {
    const done = this.#done.get(worker)
    if (done?.beat === beat) done.queues.add(queueName)
    else this.#done.set(worker, { beat, queues: new Set([queueName]) })
  }

  /** Workers that are lost, as far as that can be told. */
  async #findLost(): Promise<readonly Lost[]> {
    const { lost, silent, again } = await this.#lost.find()
    // What we remember of workers that Redis has forgotten, we forget too.
    for (const worker of this.#done.keys()) if (silent && !silent.has(worker)) this.#done.delete(worker)
    clearTimeout(this.#lookAgain)
    if (again !== undefined && !this.#closed) this.#lookAgain = startTimer(() => this.#begin(), again).unref()
    return lost
  }

  async #recoverAll(lost: Lost, queue: QueueKeys): Promise<void> {
    const { worker } = lost
    const { heartbeats } = this.#owner.keys
    const { queueName, messages, lists, delayQueueName, delayQueueMessages, delayQueue } = queue
    const rest = [queue.taken, queue.deliveries, queue.begun, queue.wake]
    const acks = (name: string): string => this.#owner.keys.acks(worker, name)
    await this.#recover([heartbeats, acks(queueName), messages, ...rest, ...lists], lost, queueName)
    const delayKeys = [heartbeats, acks(delayQueueName), delayQueueMessages, ...rest, delayQueue]
    await this.#recover(delayKeys, lost, delayQueueName)
  }

  async #recover(keys: string[], lost: Lost, queueName: string): Promise<void> {
    const { worker, silence } = lost
    let count = 0
    for (let found = mostAtOnce; found === mostAtOnce && this.#lost.holds(lost); count += found) {
      const args = [worker, silence, mostAtOnce]
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
    if (!this.#heartbeat.tellsTheDead) return
    this.#sweptAt = performance.now()
    const { keys, link } = this.#owner
    const silence = Math.max(this.#heartbeatTimeout, 60_000)
    const dead = (await this.#findLost()).map(({ worker }) => worker)
    if (dead.length === 0) return
    const holders = await link.call((client) => scanAll(client, `${escapeGlob(keys.acksPrefix)}*`), {
      timeout: 60_000,
    })
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
