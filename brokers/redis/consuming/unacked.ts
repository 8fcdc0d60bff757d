/**
 * Tracks the unacked deliveries of one queue: those that the broker delivered and that weren't settled yet. Redis keeps
 * the same in the ack set. When the two differ because a reply was lost, they are reconciled here (`reclaim`).
 */
import type { DeadLetterReason, Delivery } from '../../../lib/consumer.js'
import type { Body } from '../../../lib/encoder.js'
import { defaultTimeout } from '../connection/call-options.js'
import type { CommandConnection } from '../connection/command-connection.js'
import { NoReply } from '../connection/failures.js'
import { idArgument } from '../ids.js'
import type { Keys, QueueKeys } from '../keys.js'
import { script } from '../scripts.js'
import { type EnqueueRecord, readBody, recordOfDelayed } from '../sending/enqueue-records.js'
import { acknowledge, deadLetter, type Settlement } from './settlements.js'

/** A delivery with its id in Redis. */
export class RedisDelivery implements Delivery {
  /** Whether it is unacked: not settled, and the latest delivery of its message. */
  held = true

  constructor(
    /** One character a byte, see `ids.ts`. */
    readonly id: string,
    readonly queueName: string,
    readonly body: Body,
    readonly deliveryCount: number,
    readonly priority: number,
    readonly mayBeCancelled: boolean,
  ) {}
}

/** The worker that holds the deliveries, with its keys and connection. */
export interface WorkerSession {
  readonly worker: string
  readonly keys: Keys
  readonly connection: CommandConnection
}

export class UnackedDeliveries {
  readonly session: WorkerSession
  readonly queue: QueueKeys
  readonly acks: string
  readonly delayQueueAcks: string
  readonly deliveries = new Map<string, RedisDelivery>()
  /** The number of consumers of this queue. */
  consumers = 0
  /** Called when the ack set has to be reconciled, to wake consumers whose take is waiting in Redis. */
  onUncertain: () => void = () => {}
  /** Takes without a reply so far, and the number of all takes ever. */
  #pending = 0
  #takes = 0
  /** The pending takes that wait in Redis for a message. */
  #blocking = 0
  #uncertain = false
  #reclaiming: Promise<void> | undefined
  #takingOver: Promise<void> | undefined

  constructor(session: WorkerSession, queue: QueueKeys) {
    this.session = session
    this.queue = queue
    this.acks = session.keys.acks(session.worker, queue.queueName)
    this.delayQueueAcks = session.keys.acks(session.worker, queue.delayQueueName)
  }

  /** Adds a delivery. An earlier one of the same message was reclaimed by others and can't be settled any more. */
  add(delivery: RedisDelivery): void {
    const previous = this.deliveries.get(delivery.id)
    if (previous) previous.held = false
    this.deliveries.set(delivery.id, delivery)
  }

  /** Removes a delivery that was settled. */
  remove(delivery: RedisDelivery): void {
    if (delivery.held) this.deliveries.delete(delivery.id)
    delivery.held = false
  }

  /** Makes a call that changes the ack set. */
  async changeAcks<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof NoReply) this.#setUncertain()
      throw error
    }
  }

  /** Makes a call that takes messages. Until its reply is here, the ack set may have more than we know of. */
  async take<T>(call: () => Promise<T>): Promise<T> {
    this.#pending++
    this.#takes++
    try {
      return await this.changeAcks(call)
    } finally {
      this.#pending--
    }
  }

  /** Like `take`, for a call that may wait in Redis for a long time until there is a message. */
  async takeBlocking<T>(call: () => Promise<T>): Promise<T> {
    this.#blocking++
    try {
      return await this.take(call)
    } finally {
      this.#blocking--
      this.#takes++
    }
  }

  /** Reports a new connection, perhaps to another server: replies on the old one may have been lost. */
  reconnected(): void {
    if (this.#takes > 0) this.#setUncertain()
  }

  #setUncertain(): void {
    this.#uncertain = true
    this.onUncertain()
  }

  /** Whether the ack set may contain messages that aren't tracked here. */
  get isUncertain(): boolean {
    return this.#uncertain
  }

  /**
   * The present state, for `compare` with the size of the ack set a moment later; `undefined` while takes are pending.
   */
  get snapshot(): number | undefined {
    return this.#pending === this.#blocking ? this.#takes : undefined
  }

  /** Compares the size of the ack set with the tracked deliveries, if nothing was taken since the snapshot. */
  compare(snapshot: number | undefined, size: number): void {
    if (snapshot !== undefined && snapshot === this.snapshot && size > this.deliveries.size) this.#setUncertain()
  }

  /**
   * Returns messages to the queue that were taken by calls whose replies were lost. No take may be pending in the
   * meantime: a caller that wants to take first awaits this until it returns `undefined`.
   *
   * @param timeout The timeout of each of the two calls, in milliseconds.
   */
  reclaim(timeout = defaultTimeout): Promise<void> | undefined {
    if (this.#reclaiming) return this.#reclaiming
    if (!this.#uncertain || this.#pending > 0) return undefined
    const { queue, session } = this
    const keys = [this.acks, queue.messages, queue.taken, queue.wake, ...queue.lists]
    const delayKeys = [this.delayQueueAcks, queue.delayQueueMessages, queue.taken, queue.wake, queue.delayQueue]
    this.#reclaiming = (async () => {
      await session.connection.run(script('reclaim'), keys, [...this.deliveries.keys()].map(idArgument), { timeout })
      await session.connection.run(script('reclaim'), delayKeys, [], { timeout })
      this.#uncertain = false
    })().finally(() => {
      this.#reclaiming = undefined
    })
    return this.#reclaiming
  }

  /**
   * Moves the messages of Python's delay queue to our own delayed messages. Each is taken first, then stored and
   * acknowledged in one atomic step, so that a crash in between loses nothing.
   */
  takeOverDelayed(): Promise<void> {
    this.#takingOver ??= this.#takeOverAllDelayed()
      .catch((error) => {
        this.#setUncertain()
        throw error
      })
      .finally(() => {
        this.#takingOver = undefined
      })
    return this.#takingOver
  }

  async #takeOverAllDelayed(): Promise<void> {
    const { queue, session } = this
    const source = { acks: this.delayQueueAcks, queue, bodies: queue.delayQueueMessages }
    const keys = [session.keys.heartbeats, this.delayQueueAcks, queue.delayQueueMessages, queue.delayQueue]
    for (let full = true; full; ) {
      const most = 250
      const answer = (await this.take(() =>
        session.connection.run(script('hold-delayed'), keys, [session.worker, most], { binary: true }),
      )) as Buffer[]
      full = answer.length === 2 * most
      const settlements: Settlement[] = []
      const invalid: (Settlement & { letter: DeadLetterReason })[] = []
      for (let at = 0; at < answer.length; at += 2) {
        const id = (answer[at] as Buffer).toString('latin1')
        try {
          settlements.push({ id, redelivered: false, records: [this.#recordOfDelayed(answer[at + 1] as Buffer)] })
        } catch (error) {
          const reason = `The body is not a message: ${(error as Error).message}`
          invalid.push({ id, redelivered: false, records: [], letter: { reason } })
        }
      }
      if (settlements.length > 0) await this.changeAcks(() => acknowledge(session.connection, source, settlements))
      if (invalid.length > 0) await this.changeAcks(() => deadLetter(session.connection, source, invalid, Date.now()))
    }
  }

  #recordOfDelayed(bytes: Buffer): EnqueueRecord {
    const text = readBody(bytes, true)
    if (typeof text !== 'string') throw new SyntaxError('it is not valid UTF-8')
    return recordOfDelayed(this.queue, text)
  }
}
