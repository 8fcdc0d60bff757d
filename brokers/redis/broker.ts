/**
 * A broker on Redis, on Dramatiq's wire: services in Node and in Python share its queues. What goes where in Redis
 * stands in `keys.ts`.
 */
import { Broker, type BrokerOptions, brokerOptionNames } from '../../lib/broker.js'
import type { Consumer, DeadLetterPage, QueueStats } from '../../lib/consumer.js'
import type { Body, WireMessage } from '../../lib/encoder.js'
import { ConnectionFailed, EnqueueTimeout } from '../../lib/errors.js'
import { duration, expected } from '../../lib/options.js'
import type { Entry } from '../../lib/outcome.js'
import { atMost, Deadline, type Duration } from '../../lib/time.js'
import { TurnBatch } from '../../lib/turn-batch.js'
import { uuid } from '../../lib/uuid.js'
import { defaultMiddleware } from '../../middleware/defaults.js'
import { connectTimeoutOf, isClientOption } from './connection/client.js'
import { type Argument, defaultTimeout } from './connection/command-connection.js'
import { NoReply } from './connection/failures.js'
import {
  checkNamespace,
  connectionOptionNames,
  locationOf,
  type RedisConnectionOptions,
  readConnection,
} from './connection/options.js'
import { retryIdempotent } from './connection/retry.js'
import { replyTimeout } from './connection/subscriptions.js'
import { RedisConsumer } from './consuming/consumer.js'
import { UnackedDeliveries, type WorkerSession } from './consuming/unacked.js'
import type { WakeUps } from './consuming/wake-ups.js'
import { deleteDeadLetter, readDeadLetters, requeueDeadLetter } from './dead-letters.js'
import { type Destination, Keys } from './keys.js'
import { Maintenance } from './maintenance/maintenance.js'
import { RedisResults } from './results.js'
import { script } from './scripts.js'
import {
  type DelayQueue,
  type EnqueueContext,
  type EnqueueRecord,
  enqueueRecord,
  packRecords,
} from './sending/enqueue-records.js'
import { SharedConnections } from './shared-connections.js'

export interface RedisBrokerOptions extends BrokerOptions, RedisConnectionOptions {
  /**
   * What all keys begin with; as Dramatiq's. On a Redis Cluster it must be hash-tagged: `'{dramatiq}'`.
   * @default 'dramatiq'
   */
  namespace?: string | undefined
  /**
   * How long a worker may be silent before its messages are given to others, 100 ms or more. The same for all that share
   * the queues.
   * @default '1m'
   */
  heartbeatTimeout?: Duration | undefined
  /**
   * Where delayed messages wait: `'native'`, in a sorted set that our workers look after; or `'dramatiq'`, in the
   * delay queue, for queues that only workers in Python consume. Those know one list a queue, so that priorities are
   * written into the messages but change nothing then.
   * @default 'native'
   */
  delayQueue?: DelayQueue | undefined
}

const optionNames = [...brokerOptionNames, ...connectionOptionNames, 'namespace', 'heartbeatTimeout', 'delayQueue']

/** A worker that is given up sooner than it can make itself heard would have its messages run again and again. */
const minHeartbeatTimeout = 100

/** How many sends of one turn of the event loop go out in one call. */
const maxBatch = 250

/**
 * How long the mark of a call is kept that had to be made again, in milliseconds: its first bytes may wait somewhere on the
 * way for as long as TCP tries to deliver them, which is 15 minutes on Linux. All others leave theirs for a few seconds.
 */
const retriedMarkTtl = 900_000

/** A mark that would stay for longer than this is not left to itself once its call was answered, in milliseconds. */
const maxMarkTtl = 60_000

export class RedisBroker extends Broker {
  readonly namespace: string
  readonly heartbeatTimeout: number
  readonly delayQueue: DelayQueue
  /** What this broker is called in Redis while it consumes. */
  readonly workerId = uuid()
  readonly #connections: SharedConnections
  readonly #location: string
  readonly #session: WorkerSession
  readonly #unacked = new Map<string, UnackedDeliveries>()
  readonly #consumers = new Set<RedisConsumer>()
  readonly #maintenance: Maintenance
  #wakeUps: WakeUps | undefined
  readonly #sends: TurnBatch<EnqueueRecord | readonly EnqueueRecord[]>
  readonly #enqueueContext: EnqueueContext
  /** Sends that are too big to share a call. */
  readonly #largeSends = new Set<Promise<void>>()
  /** Marks that are being removed. */
  readonly #removals = new Set<Promise<unknown>>()

  /** Connects on first use. */
  constructor(options: RedisBrokerOptions = {}) {
    const where = readConnection(options, optionNames, 'RedisBroker', isClientOption)
    const { namespace = 'dramatiq', heartbeatTimeout = '1m', delayQueue = 'native' } = options
    checkNamespace(namespace, where)
    super(options)
    if (delayQueue !== 'native' && delayQueue !== 'dramatiq') {
      throw expected('"native" or "dramatiq"', delayQueue, 'delayQueue')
    }
    this.namespace = namespace
    this.heartbeatTimeout = duration(heartbeatTimeout, 'heartbeatTimeout')
    if (this.heartbeatTimeout < minHeartbeatTimeout) {
      throw expected(`${minHeartbeatTimeout} ms or more`, heartbeatTimeout, 'heartbeatTimeout')
    }
    this.delayQueue = delayQueue
    this.#location = locationOf(where)
    this.#connections = SharedConnections.open(where)
    this.#session = { worker: this.workerId, keys: new Keys(namespace), connection: this.#connections.commands }
    this.#maintenance = new Maintenance(this.#session, this.#unacked, this, connectTimeoutOf(where))
    this.#sends = new TurnBatch((batch) => this.#send(batch.flat() as EnqueueRecord[]), {
      most: maxBatch,
      eager: true,
      weigh: (item) => (Array.isArray(item) ? item.length : 1),
    })
    const encode = (entry: Entry, wire: WireMessage): Body => this.encode(entry, wire)
    this.#enqueueContext = { keys: this.#session.keys, delayQueue, now: () => this.clock.now(), encode }
    if (options.middleware) return
    for (const plugin of defaultMiddleware({ results: new RedisResults(where) })) this.use(plugin)
  }

  override get location(): string {
    return this.#location
  }

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————

  protected store(entries: readonly Entry[]): Promise<void> {
    const [only] = entries
    if (only && entries.length === 1) return this.#sends.add(enqueueRecord(only, this.#enqueueContext))
    const records = this.#records(entries)
    return records.length > maxBatch ? this.#sendLarge(records) : this.#sends.add(records)
  }

  #sendLarge(records: readonly EnqueueRecord[]): Promise<void> {
    const sending = this.#send(records).finally(() => this.#largeSends.delete(sending))
    this.#largeSends.add(sending)
    return sending
  }

  #records(entries: readonly Entry[]): EnqueueRecord[] {
    return entries.map((entry) => enqueueRecord(entry, this.#enqueueContext))
  }

  /**
   * Stores parcels. A call whose answer was lost is made again, in a way that stores nothing twice: whichever is carried out
   * first leaves a mark that the others find. And it all has an end at `enqueueTimeout`.
   */
  async #send(records: readonly EnqueueRecord[]): Promise<void> {
    const { keys: names, connection } = this.#session
    const sent = names.sent(uuid())
    const keys: string[] = [sent]
    const mark = 2 * Math.max(1, this.enqueueTimeout)
    const args: Argument[] = [mark, 0]
    args[1] = packRecords(records, new Map<Destination, number>(), keys, args)
    let mayBeStored = false
    try {
      await retryIdempotent(this.enqueueTimeout, (attempt) => {
        mayBeStored = attempt.mayHaveRun
        if (mayBeStored) args[0] = Math.max(mark, retriedMarkTtl)
        return connection.run(script('enqueue'), keys, args, attempt)
      })
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      throw this.#sendError(error, mayBeStored || error instanceof NoReply)
    }
    if (mark > maxMarkTtl) this.#expireMark(sent, mayBeStored)
  }

  /** With an `enqueueTimeout` of days Redis would fill up with marks of calls that were answered long ago. */
  #expireMark(sent: string, again: boolean): void {
    const { connection } = this.#session
    const removal = connection
      .call((client) => (again ? client.pexpire(sent, retriedMarkTtl) : client.unlink(sent)))
      .catch(() => {})
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  #sendError(cause: ConnectionFailed, mayBeStored: boolean): ConnectionFailed | EnqueueTimeout {
    // The text of a connection that failed says how long it was tried; why it failed stands in its cause.
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message
    if (!mayBeStored) return new EnqueueTimeout(this.enqueueTimeout, { cause, reason })
    const text = `Redis did not answer within ${this.enqueueTimeout} ms (enqueueTimeout); the message may be stored or not.`
    return new ConnectionFailed(text, { cause })
  }

  // — Consuming ——————————————————————————————————————————————————————————————————————————————————————————

  protected makeConsumer(queueName: string): Consumer {
    const unacked = this.#unackedOf(queueName)
    this.#wakeUps ??= this.#connections.wakeUps(this.#session.keys)
    const consumer = new RedisConsumer({
      unacked,
      wakeUps: this.#wakeUps,
      now: () => this.clock.now(),
      records: (entries) => this.#records(entries),
      maintain: () => this.#maintenance.maintainQueue(unacked),
      isClosed: () => this.closed,
    })
    this.#consumers.add(consumer)
    this.#maintenance.start()
    return consumer
  }

  #unackedOf(queueName: string): UnackedDeliveries {
    let unacked = this.#unacked.get(queueName)
    if (!unacked) {
      unacked = new UnackedDeliveries(this.#session, this.#session.keys.queue(queueName))
      this.#unacked.set(queueName, unacked)
    }
    return unacked
  }

  // — Looking and clearing ———————————————————————————————————————————————————————————————————————————————

  protected async readStats(queueName: string, timeout = defaultTimeout): Promise<QueueStats> {
    const { messages, delayed, delayQueueMessages, dead, lists } = this.#session.keys.queue(queueName)
    const keys = [messages, delayed, delayQueueMessages, dead, ...lists]
    const oldest = this.clock.now() - this.deadMessageTtl
    const { connection } = this.#session
    const answer = await retryIdempotent(replyTimeout(timeout), (attempt) =>
      connection.run(script('stats'), keys, [oldest], attempt),
    )
    const [ready, waiting, inFlight, letters] = answer as [number, number, number, number]
    return { ready, delayed: waiting, inFlight, dead: letters }
  }

  protected override async checkStore(timeout: number): Promise<void> {
    const { keys, connection } = this.#session
    const deadline = new Deadline(timeout)
    await this.readStats('default', timeout)
    // As a send does: the mark of a call, under a key that nobody else has.
    const patience = Math.max(1, Math.ceil(deadline.left))
    await connection.call((client) => client.set(keys.sent(uuid()), '', 'PX', 1000), { timeout: patience })
  }

  protected async clear(queueName: string): Promise<void> {
    const { keys, connection, worker } = this.#session
    const queue = keys.queue(queueName)
    const acks = [keys.acks(worker, queue.queueName), keys.acks(worker, queue.delayQueueName)]
    await retryIdempotent(defaultTimeout, (attempt) =>
      connection.call((client) => client.unlink(...queue.all(), ...acks), attempt),
    )
  }

  protected readDeadLetters(queueName: string, limit: number, cursor: string | undefined): Promise<DeadLetterPage> {
    const oldest = this.clock.now() - this.deadMessageTtl
    return readDeadLetters(this.#session.connection, this.#session.keys.queue(queueName), { limit, cursor, oldest })
  }

  protected takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean> {
    const { connection, keys } = this.#session
    if (then === 'delete') return deleteDeadLetter(connection, keys, id)
    const { delayQueue } = this
    const revive = (body: Body): Body => this.revive(body)
    return requeueDeadLetter(connection, keys, id, { delayQueue, revive, before: (body) => this.forgetResult(body) })
  }

  // — The end ————————————————————————————————————————————————————————————————————————————————————————————

  protected async closeStore(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      await atMost(timeout, this.#finish())
    } finally {
      if (this.#wakeUps) this.#connections.releaseWakeUps(this.#session.keys)
      this.#connections.release()
    }
  }

  /** Waits for what is under way, and takes the worker's name off. */
  async #finish(): Promise<void> {
    await Promise.allSettled([this.#sends.idle(), ...this.#largeSends])
    await Promise.all(this.#removals)
    for (const consumer of this.#consumers) {
      await consumer.close()
      await consumer.settled()
    }
    await this.#maintenance.close()
  }
}
