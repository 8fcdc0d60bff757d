/**
 * A broker on Redis, compatible with Dramatiq: services in Node and in Python share its queues. `keys.ts` lists the
 * keys in Redis; `brokers/README.md` follows a message through these files.
 */
import { Broker, type BrokerOptions, brokerOptionNames } from '../../lib/broker.js'
import { expected } from '../../lib/checks.js'
import type { Consumer, DeadLetterPage, QueueStats, ScannedMessage } from '../../lib/consumer.js'
import type { Duration } from '../../lib/duration.js'
import type { Body, WireMessage } from '../../lib/encoder.js'
import { duration } from '../../lib/options.js'
import type { Entry } from '../../lib/outcome.js'
import type { StateBackend } from '../../lib/state/backend.js'
import type { Refusal } from '../../lib/state/changes.js'
import type { ConditionalEntry } from '../../lib/state/steps.js'
import { Deadline, settlesWithin } from '../../lib/time.js'
import { uuid } from '../../lib/uuid.js'
import { defaultMiddleware } from '../../middleware/defaults.js'
import { defaultTimeout } from './connection/call-options.js'
import { connectTimeoutOf, isClientOption } from './connection/client.js'
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
import { Keys } from './keys.js'
import { Maintenance } from './maintenance/maintenance.js'
import { RedisResults } from './results.js'
import { runNow, scanQueue } from './scanning.js'
import { script } from './scripts.js'
import type { DelayQueue } from './sending/enqueue-records.js'
import { Sender } from './sending/sender.js'
import { SharedConnections } from './shared-connections.js'
import { RedisState } from './state.js'

export interface RedisBrokerOptions extends BrokerOptions, RedisConnectionOptions {
  /**
   * The prefix of all keys, as in Dramatiq. On a Redis Cluster it must have a hash tag: `'{dramatiq}'`.
   * @default 'dramatiq'
   */
  namespace?: string | undefined
  /**
   * How long a worker may be silent before other workers get its messages, 100 ms or more. All processes that share the
   * queues must use the same value.
   * @default '1m'
   */
  heartbeatTimeout?: Duration | undefined
  /**
   * Where delayed messages wait: `'native'`, in a sorted set that our workers read; or `'dramatiq'`, in Dramatiq's
   * delay queue, for queues that only workers in Python consume. These know one list per queue, so priorities are
   * written into the messages but have no effect then.
   * @default 'native'
   */
  delayQueue?: DelayQueue | undefined
}

const optionNames = [...brokerOptionNames, ...connectionOptionNames, 'namespace', 'heartbeatTimeout', 'delayQueue']

/**
 * In milliseconds. With a shorter timeout a worker would count as dead between two heartbeats, and its messages rerun.
 */
const minHeartbeatTimeout = 100

export class RedisBroker extends Broker {
  readonly namespace: string
  readonly heartbeatTimeout: number
  readonly delayQueue: DelayQueue
  /** The id of this broker in Redis while it consumes. */
  readonly workerId = uuid()
  readonly #connections: SharedConnections
  readonly #where: RedisConnectionOptions
  readonly #location: string
  readonly #session: WorkerSession
  readonly #unacked = new Map<string, UnackedDeliveries>()
  readonly #consumers = new Set<RedisConsumer>()
  readonly #maintenance: Maintenance
  #wakeUps: WakeUps | undefined
  readonly #sender: Sender

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
    this.#where = where
    this.#location = locationOf(where)
    this.#connections = SharedConnections.open(where)
    const keys = new Keys(namespace, { isCluster: where.nodes !== undefined })
    this.#session = { worker: this.workerId, keys, connection: this.#connections.commands }
    this.#maintenance = new Maintenance(this.#session, this.#unacked, this, connectTimeoutOf(where))
    const encode = (entry: Entry, wire: WireMessage): Body => this.encode(entry, wire)
    const context = { keys, delayQueue, now: () => this.clock.now(), encode }
    this.#sender = new Sender(this.#session.connection, context, this.enqueueTimeout)
    if (options.middleware) return
    for (const plugin of defaultMiddleware({ results: new RedisResults(where) })) this.use(plugin)
  }

  override get location(): string {
    return this.#location
  }

  protected override makeState(): StateBackend {
    return new RedisState({ ...this.#where, namespace: this.namespace })
  }

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————

  protected store(entries: readonly Entry[]): Promise<void> {
    return this.#sender.store(entries)
  }

  protected override storeIf(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]> {
    return this.#sender.storeIf(entries)
  }

  // — Consuming ——————————————————————————————————————————————————————————————————————————————————————————

  protected makeConsumer(queueName: string): Consumer {
    const unacked = this.#unackedOf(queueName)
    this.#wakeUps ??= this.#connections.wakeUps(this.#session.keys)
    const consumer = new RedisConsumer({
      unacked,
      wakeUps: this.#wakeUps,
      now: () => this.clock.now(),
      records: (entries) => this.#sender.records(entries),
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

  // — Inspecting and clearing ————————————————————————————————————————————————————————————————————————————

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
    // Writes what a send would write first: the mark of a call, under a unique key.
    const left = Math.max(1, Math.ceil(deadline.left))
    await connection.call((client) => client.set(keys.sent(uuid()), '', 'PX', 1000), { timeout: left })
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

  protected override scan(
    queueName: string,
    { containing }: { containing?: string | undefined },
  ): AsyncIterable<readonly ScannedMessage[]> {
    return scanQueue(this.#session.connection, this.#session.keys.queue(queueName), containing)
  }

  protected override runNow(queueName: string, refs: readonly unknown[]): Promise<void> {
    return runNow(this.#session.connection, this.#session.keys.queue(queueName), refs)
  }

  // — Closing ————————————————————————————————————————————————————————————————————————————————————————————

  protected async closeStore(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      await settlesWithin(timeout, this.#finish())
    } finally {
      if (this.#wakeUps) this.#connections.releaseWakeUps(this.#session.keys)
      this.#connections.release()
    }
  }

  /** Waits for calls in progress, and removes the worker from the heartbeats. */
  async #finish(): Promise<void> {
    await this.#sender.idle()
    for (const consumer of this.#consumers) {
      await consumer.close()
      await consumer.settled()
    }
    await this.#maintenance.close()
  }
}
