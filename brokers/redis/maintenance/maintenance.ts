/**
 * Maintains a worker's queues after every heartbeat (`heartbeat.ts`): requeues messages that were taken by calls whose
 * replies were lost, recovers the messages of dead workers, deletes expired dead letters, and removes workers that are
 * long gone.
 */
import { getLogger } from '../../../lib/logger.js'
import { settlesWithin, startTimer } from '../../../lib/time.js'
import type { Client } from '../connection/client.js'
import type { UnackedDeliveries, WorkerSession } from '../consuming/unacked.js'
import type { QueueKeys } from '../keys.js'
import { script } from '../scripts.js'
import { Heartbeat } from './heartbeat.js'
import { type Lost, LostWorkers } from './lost-workers.js'

const sweepInterval = 3_600_000
const maxBatch = 500
/** The maximum number of dead letters that one call deletes. */
const maxLetters = 1000
/** The timeout of each step when a broker closes, in milliseconds. */
const closeTimeout = 1000

export class Maintenance {
  readonly #session: WorkerSession
  readonly #queues: ReadonlyMap<string, UnackedDeliveries>
  readonly #heartbeat: Heartbeat
  readonly #lost: LostWorkers
  /** Starts an extra run before the next heartbeat. */
  #recheckTimer: NodeJS.Timeout | undefined
  readonly #heartbeatTimeout: number
  readonly #deadMessageTtl: number
  /** Dead workers whose messages were recovered from these queues, with their last heartbeat. */
  readonly #recovered = new Map<string, { readonly beat: number; readonly queues: Set<string> }>()
  #started = false
  #running: Promise<void> | undefined
  /** A random time within the past hour: otherwise processes that live less than an hour would never sweep. */
  #sweptAt = performance.now() - Math.random() * sweepInterval
  #closed = false

  constructor(
    session: WorkerSession,
    queues: ReadonlyMap<string, UnackedDeliveries>,
    { heartbeatTimeout, deadMessageTtl }: { heartbeatTimeout: number; deadMessageTtl: number },
    connectTimeout?: number,
  ) {
    this.#session = session
    this.#queues = queues
    this.#heartbeatTimeout = heartbeatTimeout
    this.#deadMessageTtl = deadMessageTtl
    const host = {
      queues: () => this.#activeQueues(),
      onReconnect: () => {
        for (const unacked of this.#queues.values()) unacked.reconnected()
      },
      onBeat: () => this.#begin(),
    }
    this.#heartbeat = new Heartbeat(session, heartbeatTimeout, host, connectTimeout)
    this.#lost = new LostWorkers(session, this.#heartbeat, heartbeatTimeout)
  }

  /** Starts with the first consumer. It continues while there are consumers, or deliveries are or may be unacked. */
  start(): void {
    if (this.#closed) return
    this.#started = true
    this.#heartbeat.start()
  }

  #activeQueues(): UnackedDeliveries[] {
    return [...this.#queues.values()].filter(
      (unacked) => unacked.consumers > 0 || unacked.deliveries.size > 0 || unacked.isUncertain,
    )
  }

  /** Stops, and removes the worker from the heartbeats if it holds nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#recheckTimer)
    if (!this.#started) return
    const queues = [...this.#queues.values()]
    await settlesWithin(closeTimeout, Promise.all([this.#heartbeat.stop(), this.#running]))
    try {
      await Promise.all(queues.map((unacked) => unacked.reclaim(closeTimeout)))
      if (queues.some(({ deliveries }) => deliveries.size > 0)) return
      const { connection, keys, worker } = this.#session
      // The script checks the ack sets itself, since a fetch may be in progress.
      const all = [
        keys.heartbeats,
        keys.connection(worker),
        ...queues.flatMap(({ acks, delayQueueAcks }) => [acks, delayQueueAcks]),
      ]
      await connection.run(script('retire'), all, [worker], { timeout: closeTimeout })
    } catch {
      // The worker stays in the heartbeats, so that others find what it may hold.
    }
  }

  #begin(): void {
    if (this.#closed) return
    this.#running ??= this.#run()
      .catch((error) => {
        if (!this.#closed) getLogger().debug({ err: error }, 'Queue maintenance failed; retrying')
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async #run(): Promise<void> {
    const queues = this.#activeQueues()
    for (const unacked of queues) await unacked.reclaim()
    const lost = await this.#findLost()
    for (const unacked of queues) if (unacked.consumers > 0) await this.maintainQueue(unacked, lost)
    if (performance.now() - this.#sweptAt > sweepInterval) await this.#sweep()
  }

  /** Recovers what lost workers held of a queue, and deletes expired dead letters. */
  async maintainQueue({ queue }: UnackedDeliveries, knownLost?: readonly Lost[]): Promise<void> {
    await this.#recoverFrom(knownLost ?? (await this.#findLost()), queue)
    const { dead: letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries } = queue
    const tidyKeys = [letters, deadMessages, deadReasons, messages, delayedMessages, taken, begun, deliveries]
    const { connection } = this.#session
    for (let deleted = maxLetters; deleted === maxLetters && !this.#closed; ) {
      deleted = (await connection.run(script('tidy'), tidyKeys, [
        Date.now() - this.#deadMessageTtl,
        maxLetters,
      ])) as number
    }
  }

  async #recoverFrom(knownLost: readonly Lost[], queue: QueueKeys): Promise<void> {
    const { connection, keys } = this.#session
    const dead = knownLost.filter((one) => !this.#isRecovered(one, queue))
    for (let at = 0; at < dead.length; at += maxBatch) {
      const some = dead.slice(at, at + maxBatch)
      const acks = some.map(({ worker }) => [
        keys.acks(worker, queue.queueName),
        keys.acks(worker, queue.delayQueueName),
      ])
      const holders = (await connection.run(script('holders'), acks.flat(), [])) as number[]
      for (const [index, one] of some.entries()) {
        // Our connection may have been replaced since they were found.
        if (!this.#lost.isStillLost(one)) continue
        if (holders[index] !== 0) await this.#recoverAll(one, queue)
        if (this.#lost.isStillLost(one)) this.#setRecovered(one, queue)
      }
    }
  }

  #isRecovered({ worker, beat }: Lost, { queueName }: QueueKeys): boolean {
    const recovered = this.#recovered.get(worker)
    return recovered?.beat === beat && recovered.queues.has(queueName)
  }

  #setRecovered({ worker, beat }: Lost, { queueName }: QueueKeys): void {
    const recovered = this.#recovered.get(worker)
    if (recovered?.beat === beat) recovered.queues.add(queueName)
    else this.#recovered.set(worker, { beat, queues: new Set([queueName]) })
  }

  /** Returns the lost workers, as far as they can be detected. */
  async #findLost(): Promise<readonly Lost[]> {
    const { lost, silent, recheckIn } = await this.#lost.find()
    // Forget workers that are no longer in Redis.
    for (const worker of this.#recovered.keys()) if (silent && !silent.has(worker)) this.#recovered.delete(worker)
    clearTimeout(this.#recheckTimer)
    if (recheckIn !== undefined && !this.#closed)
      this.#recheckTimer = startTimer(() => this.#begin(), recheckIn).unref()
    return lost
  }

  async #recoverAll(lost: Lost, queue: QueueKeys): Promise<void> {
    const { worker } = lost
    const { heartbeats } = this.#session.keys
    const { queueName, messages, lists, delayQueueName, delayQueueMessages, delayQueue } = queue
    const rest = [queue.taken, queue.deliveries, queue.begun, queue.wake]
    const acks = (name: string): string => this.#session.keys.acks(worker, name)
    await this.#recover([heartbeats, acks(queueName), messages, ...rest, ...lists], lost, queueName)
    const delayKeys = [heartbeats, acks(delayQueueName), delayQueueMessages, ...rest, delayQueue]
    await this.#recover(delayKeys, lost, delayQueueName)
  }

  async #recover(keys: string[], lost: Lost, queueName: string): Promise<void> {
    const { worker, silence } = lost
    let count = 0
    for (let found = maxBatch; found === maxBatch && this.#lost.isStillLost(lost); count += found) {
      const args = [worker, silence, maxBatch]
      found = (await this.#session.connection.run(script('recover'), keys, args)) as number
    }
    if (count > 0) getLogger().warn({ worker, queueName, count }, 'Worker lost; its messages were requeued')
  }

  /**
   * Removes dead workers that hold nothing on any queue from the heartbeats. Every process that ever sent something
   * from Python leaves an entry there, and without Python workers nothing else would remove it. It scans all keys, so
   * it runs once an hour.
   */
  async #sweep(): Promise<void> {
    if (!this.#heartbeat.canDetectSilent) return
    this.#sweptAt = performance.now()
    const { keys, connection } = this.#session
    const silence = Math.max(this.#heartbeatTimeout, 60_000)
    const dead = (await this.#findLost()).map(({ worker }) => worker)
    if (dead.length === 0) return
    const holders = await connection.call((client) => scanAll(client, `${escapeGlob(keys.acksPrefix)}*`), {
      timeout: 60_000,
    })
    const idle = dead.filter((worker) => !holders.some((key) => key.startsWith(`${keys.acksPrefix}${worker}.`)))
    if (idle.length > 0) await connection.run(script('forget-worker'), [keys.heartbeats], [silence, ...idle])
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
