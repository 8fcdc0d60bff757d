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
import { connectTimeoutOf, isClientOption } from './client.js'
import { Connection } from './connection.js'
import { RedisConsumer } from './consumer.js'
import { deleteDeadLetter, readDeadLetters, requeueDeadLetter } from './dead-letters.js'
import { share } from './ears.js'
import { Unanswered } from './failures.js'
import { Hand, type Owner } from './hand.js'
import { insist } from './insist.js'
import { Keeper } from './keeper.js'
import { Keys, type Place } from './keys.js'
import { type Argument, patience } from './link.js'
import {
  checkNamespace,
  connectionOptionNames,
  locationOf,
  type RedisConnectionOptions,
  readConnection,
} from './options.js'
import { type DelayQueue, type Parcel, pack, parcelOf, type Sender } from './parcels.js'
import { RedisResults } from './results.js'
import { script } from './scripts.js'
import type { Waker } from './waker.js'

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
const shortestTimeout = 100

/** How many sends of one turn of the event loop go out in one call. */
const mostAtOnce = 250

/**
 * How long the mark of a call is kept that had to be made again, in milliseconds: its first bytes may wait somewhere on the
 * way for as long as TCP tries to deliver them, which is 15 minutes on Linux. All others leave theirs for a few seconds.
 */
const markOfRepetition = 900_000

/** A mark that would stay for longer than this is not left to itself once its call was answered, in milliseconds. */
const longestMark = 60_000

export class RedisBroker extends Broker {
  readonly namespace: string
  readonly heartbeatTimeout: number
  readonly delayQueue: DelayQueue
  /** What this broker is called in Redis while it consumes. */
  readonly workerId = uuid()
  readonly #connection: Connection
  readonly #location: string
  readonly #owner: Owner
  readonly #hands = new Map<string, Hand>()
  readonly #consumers = new Set<RedisConsumer>()
  readonly #keeper: Keeper
  #waker: Waker | undefined
  readonly #sends: TurnBatch<Parcel | readonly Parcel[]>
  readonly #sender: Sender
  /** Sends that are too big to share a call. */
  readonly #bigSends = new Set<Promise<void>>()
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
    if (this.heartbeatTimeout < shortestTimeout) {
      throw expected(`${shortestTimeout} ms or more`, heartbeatTimeout, 'heartbeatTimeout')
    }
    this.delayQueue = delayQueue
    this.#location = locationOf(where)
    this.#connection = Connection.open(where)
    this.#owner = { worker: this.workerId, keys: new Keys(namespace), link: this.#connection.commands }
    this.#keeper = new Keeper(this.#owner, this.#hands, this, connectTimeoutOf(where))
    this.#sends = new TurnBatch((batch) => this.#send(batch.flat() as Parcel[]), {
      most: mostAtOnce,
      eager: true,
      weigh: (item) => (Array.isArray(item) ? item.length : 1),
    })
    const encode = (entry: Entry, wire: WireMessage): Body => this.encode(entry, wire)
    this.#sender = { keys: this.#owner.keys, delayQueue, now: () => this.clock.now(), encode }
    if (options.middleware) return
    for (const plugin of defaultMiddleware({ results: new RedisResults(where) })) this.use(plugin)
  }

  override get location(): string {
    return this.#location
  }

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————

  protected store(entries: readonly Entry[]): Promise<void> {
    const [only] = entries
    if (only && entries.length === 1) return this.#sends.add(parcelOf(only, this.#sender))
    const parcels = this.#parcels(entries)
    return parcels.length > mostAtOnce ? this.#sendAlone(parcels) : this.#sends.add(parcels)
  }

  #sendAlone(parcels: readonly Parcel[]): Promise<void> {
    const sending = this.#send(parcels).finally(() => this.#bigSends.delete(sending))
    this.#bigSends.add(sending)
    return sending
  }

  #parcels(entries: readonly Entry[]): Parcel[] {
    return entries.map((entry) => parcelOf(entry, this.#sender))
  }

  /**
   * Stores parcels. A call whose answer was lost is made again, in a way that stores nothing twice: whichever is carried out
   * first leaves a mark that the others find. And it all has an end at `enqueueTimeout`.
   */
  async #send(parcels: readonly Parcel[]): Promise<void> {
    const { keys: names, link } = this.#owner
    const sent = names.sent(uuid())
    const keys: string[] = [sent]
    const mark = 2 * Math.max(1, this.enqueueTimeout)
    const args: Argument[] = [mark, 0]
    args[1] = pack(parcels, new Map<Place, number>(), keys, args)
    let perhaps = false
    try {
      await insist(this.enqueueTimeout, (attempt) => {
        perhaps = attempt.again
        if (perhaps) args[0] = Math.max(mark, markOfRepetition)
        return link.run(script('enqueue'), keys, args, attempt)
      })
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      throw this.#notSent(error, perhaps || error instanceof Unanswered)
    }
    if (mark > longestMark) this.#endMark(sent, perhaps)
  }

  /** With an `enqueueTimeout` of days Redis would fill up with marks of calls that were answered long ago. */
  #endMark(sent: string, again: boolean): void {
    const { link } = this.#owner
    const removal = link
      .call((client) => (again ? client.pexpire(sent, markOfRepetition) : client.unlink(sent)))
      .catch(() => {})
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }

  #notSent(cause: ConnectionFailed, perhaps: boolean): ConnectionFailed | EnqueueTimeout {
    // The text of a connection that failed says how long it was tried; why it failed stands in its cause.
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message
    if (!perhaps) return new EnqueueTimeout(this.enqueueTimeout, { cause, reason })
    const text = `Redis did not answer within ${this.enqueueTimeout} ms (enqueueTimeout); the message may be stored or not.`
    return new ConnectionFailed(text, { cause })
  }

  // — Consuming ——————————————————————————————————————————————————————————————————————————————————————————

  protected makeConsumer(queueName: string): Consumer {
    const hand = this.#hand(queueName)
    this.#waker ??= this.#connection.waker(this.#owner.keys)
    const consumer = new RedisConsumer({
      hand,
      waker: this.#waker,
      now: () => this.clock.now(),
      parcels: (entries) => this.#parcels(entries),
      lookAfter: () => this.#keeper.lookAfter(hand),
      isClosed: () => this.closed,
    })
    this.#consumers.add(consumer)
    this.#keeper.start()
    return consumer
  }

  #hand(queueName: string): Hand {
    let hand = this.#hands.get(queueName)
    if (!hand) {
      hand = new Hand(this.#owner, this.#owner.keys.queue(queueName))
      this.#hands.set(queueName, hand)
    }
    return hand
  }

  // — Looking and clearing ———————————————————————————————————————————————————————————————————————————————

  protected async readStats(queueName: string, timeout = patience): Promise<QueueStats> {
    const { messages, delayed, delayQueueMessages, dead, lists } = this.#owner.keys.queue(queueName)
    const keys = [messages, delayed, delayQueueMessages, dead, ...lists]
    const oldest = this.clock.now() - this.deadMessageTtl
    const { link } = this.#owner
    const answer = await insist(share(timeout), (attempt) => link.run(script('stats'), keys, [oldest], attempt))
    const [ready, waiting, inFlight, letters] = answer as [number, number, number, number]
    return { ready, delayed: waiting, inFlight, dead: letters }
  }

  protected override async checkStore(timeout: number): Promise<void> {
    const { keys, link } = this.#owner
    const deadline = new Deadline(timeout)
    await this.readStats('default', timeout)
    // As a send does: the mark of a call, under a key that nobody else has.
    const patience = Math.max(1, Math.ceil(deadline.left))
    await link.call((client) => client.set(keys.sent(uuid()), '', 'PX', 1000), { timeout: patience })
  }

  protected async clear(queueName: string): Promise<void> {
    const { keys, link, worker } = this.#owner
    const queue = keys.queue(queueName)
    const acks = [keys.acks(worker, queue.queueName), keys.acks(worker, queue.delayQueueName)]
    await insist(patience, (attempt) => link.call((client) => client.unlink(...queue.all(), ...acks), attempt))
  }

  protected readDeadLetters(queueName: string, limit: number, cursor: string | undefined): Promise<DeadLetterPage> {
    const oldest = this.clock.now() - this.deadMessageTtl
    return readDeadLetters(this.#owner.link, this.#owner.keys.queue(queueName), { limit, cursor, oldest })
  }

  protected takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean> {
    const { link, keys } = this.#owner
    if (then === 'delete') return deleteDeadLetter(link, keys, id)
    const { delayQueue } = this
    const revive = (body: Body): Body => this.revive(body)
    return requeueDeadLetter(link, keys, id, { delayQueue, revive, before: (body) => this.forgetResult(body) })
  }

  // — The end ————————————————————————————————————————————————————————————————————————————————————————————

  protected async closeStore(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      await atMost(timeout, this.#finish())
    } finally {
      if (this.#waker) this.#connection.dropWaker(this.#owner.keys)
      this.#connection.release()
    }
  }

  /** Waits for what is under way, and takes the worker's name off. */
  async #finish(): Promise<void> {
    await Promise.allSettled([this.#sends.idle(), ...this.#bigSends])
    await Promise.all(this.#removals)
    for (const consumer of this.#consumers) {
      await consumer.close()
      await consumer.settled()
    }
    await this.#keeper.close()
  }
}
