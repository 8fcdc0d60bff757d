/**
 * What a broker has in hand of one queue: the deliveries it gave out and got no settlement for. Redis keeps the same
 * in the ack set; where the two differ because an answer was lost, the hand sets it right.
 */
import type { DeadLetterReason, Delivery } from '../../../lib/consumer.js'
import type { Body } from '../../../lib/encoder.js'
import { type CommandConnection, defaultTimeout } from '../connection/command-connection.js'
import { NoReply } from '../connection/failures.js'
import { idArgument } from '../ids.js'
import type { Keys, QueueKeys } from '../keys.js'
import { script } from '../scripts.js'
import { type EnqueueRecord, readBody, recordOfDelayed } from '../sending/enqueue-records.js'
import { acknowledge, deadLetter, type Settlement } from './settlements.js'

/** A delivery, and the id that Redis has for it. */
export class RedisDelivery implements Delivery {
  /** Whether it is in hand: not settled, and the present delivery of its message. */
  held = true

  constructor(
    /** One character a byte, see `ids.ts`. */
    readonly id: string,
    readonly queueName: string,
    readonly body: Body,
    readonly deliveryCount: number,
    readonly priority: number,
  ) {}
}

/** Whose hand it is, and where it reaches. */
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
  /** How many consumers take with it. */
  consumers = 0
  /** Called when there is something to be set right, for those who sleep with a take on its way. */
  onUncertain: () => void = () => {}
  /** Calls that take and aren't answered yet; and all that ever were. */
  #pending = 0
  #takes = 0
  /** Of those under way, the ones that wait in Redis for something to take. */
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

  /** Takes what was fetched. One that was in hand before was taken back meanwhile, and can't be settled any more. */
  add(delivery: RedisDelivery): void {
    const previous = this.deliveries.get(delivery.id)
    if (previous) previous.held = false
    this.deliveries.set(delivery.id, delivery)
  }

  /** Forgets a delivery that was settled. */
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

  /** Makes a call that takes: until it is answered, Redis knows of more than the hand. */
  async take<T>(call: () => Promise<T>): Promise<T> {
    this.#pending++
    this.#takes++
    try {
      return await this.changeAcks(call)
    } finally {
      this.#pending--
    }
  }

  /** The same for a call that may wait in Redis for long, until there is something to take. */
  async takeBlocking<T>(call: () => Promise<T>): Promise<T> {
    this.#blocking++
    try {
      return await this.take(call)
    } finally {
      this.#blocking--
      this.#takes++
    }
  }

  /** There is a new connection, perhaps to another server: what was said on the old one may not have been heard. */
  reconnected(): void {
    if (this.#takes > 0) this.#setUncertain()
  }

  #setUncertain(): void {
    this.#uncertain = true
    this.onUncertain()
  }

  /** Whether Redis may know of something taken that the hand doesn't. */
  get isUncertain(): boolean {
    return this.#uncertain
  }

  /** How things stand, to be compared by `check` with what Redis says a moment later. */
  get snapshot(): number | undefined {
    return this.#pending === this.#blocking ? this.#takes : undefined
  }

  /** Compares the size of the ack set with the hand, if nothing was taken meanwhile. */
  compare(snapshot: number | undefined, size: number): void {
    if (snapshot !== undefined && snapshot === this.snapshot && size > this.deliveries.size) this.#setUncertain()
  }

  /**
   * Gives back what was taken by calls whose answers were lost. Nobody may be taking meanwhile: whoever wants to take
   * asks for this until there is nothing to wait for.
   *
   * @param timeout How long each of the two answers may take.
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
   * Moves what Python delayed among our own delayed messages: taken into the hand, and stored anew in the step that
   * lets it go, so that a crash in between loses nothing.
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
