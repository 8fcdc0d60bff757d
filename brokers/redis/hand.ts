/**
 * What a broker has in hand of one queue: the deliveries it gave out and got no settlement for. Redis keeps the same
 * in the ack set; where the two differ because an answer was lost, the hand sets it right.
 */
import type { DeadLetterReason, Delivery } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import { Unanswered } from './failures.js'
import { idArgument } from './ids.js'
import type { Keys, QueueKeys } from './keys.js'
import { type Link, patience } from './link.js'
import { type Parcel, parcelOfDelayed, readBody } from './parcels.js'
import { script } from './scripts.js'
import { deadLetter, type Settlement, settle } from './settling.js'

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
export interface Owner {
  readonly worker: string
  readonly keys: Keys
  readonly link: Link
}

export class Hand {
  readonly owner: Owner
  readonly queue: QueueKeys
  readonly acks: string
  readonly delayQueueAcks: string
  readonly held = new Map<string, RedisDelivery>()
  /** How many consumers take with it. */
  consumers = 0
  /** Called when there is something to be set right, for those who sleep with a take on its way. */
  onDoubt: () => void = () => {}
  /** Calls that take and aren't answered yet; and all that ever were. */
  #underWay = 0
  #takes = 0
  /** Of those under way, the ones that wait in Redis for something to take. */
  #asleep = 0
  #doubtful = false
  #reclaiming: Promise<void> | undefined
  #takingOver: Promise<void> | undefined

  constructor(owner: Owner, queue: QueueKeys) {
    this.owner = owner
    this.queue = queue
    this.acks = owner.keys.acks(owner.worker, queue.queueName)
    this.delayQueueAcks = owner.keys.acks(owner.worker, queue.delayQueueName)
  }

  /** Takes what was fetched. One that was in hand before was taken back meanwhile, and can't be settled any more. */
  hold(delivery: RedisDelivery): void {
    const former = this.held.get(delivery.id)
    if (former) former.held = false
    this.held.set(delivery.id, delivery)
  }

  /** Forgets a delivery that was settled. */
  release(delivery: RedisDelivery): void {
    if (delivery.held) this.held.delete(delivery.id)
    delivery.held = false
  }

  /** Makes a call that changes the ack set. */
  async change<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof Unanswered) this.#setDoubtful()
      throw error
    }
  }

  /** Makes a call that takes: until it is answered, Redis knows of more than the hand. */
  async take<T>(call: () => Promise<T>): Promise<T> {
    this.#underWay++
    this.#takes++
    try {
      return await this.change(call)
    } finally {
      this.#underWay--
    }
  }

  /** The same for a call that may wait in Redis for long, until there is something to take. */
  async takeAsleep<T>(call: () => Promise<T>): Promise<T> {
    this.#asleep++
    try {
      return await this.take(call)
    } finally {
      this.#asleep--
      this.#takes++
    }
  }

  /** There is a new connection, perhaps to another server: what was said on the old one may not have been heard. */
  doubt(): void {
    if (this.#takes > 0) this.#setDoubtful()
  }

  #setDoubtful(): void {
    this.#doubtful = true
    this.onDoubt()
  }

  /** Whether Redis may know of something taken that the hand doesn't. */
  get isDoubtful(): boolean {
    return this.#doubtful
  }

  /** How things stand, to be compared by `check` with what Redis says a moment later. */
  get mark(): number | undefined {
    return this.#underWay === this.#asleep ? this.#takes : undefined
  }

  /** Compares the size of the ack set with the hand, if nothing was taken meanwhile. */
  check(mark: number | undefined, size: number): void {
    if (mark !== undefined && mark === this.mark && size > this.held.size) this.#setDoubtful()
  }

  /**
   * Gives back what was taken by calls whose answers were lost. Nobody may be taking meanwhile: whoever wants to take
   * asks for this until there is nothing to wait for.
   *
   * @param timeout How long each of the two answers may take.
   */
  reclaim(timeout = patience): Promise<void> | undefined {
    if (this.#reclaiming) return this.#reclaiming
    if (!this.#doubtful || this.#underWay > 0) return undefined
    const { queue, owner } = this
    const keys = [this.acks, queue.messages, queue.taken, queue.wake, ...queue.lists]
    const delayKeys = [this.delayQueueAcks, queue.delayQueueMessages, queue.taken, queue.wake, queue.delayQueue]
    this.#reclaiming = (async () => {
      await owner.link.run(script('reclaim'), keys, [...this.held.keys()].map(idArgument), { timeout })
      await owner.link.run(script('reclaim'), delayKeys, [], { timeout })
      this.#doubtful = false
    })().finally(() => {
      this.#reclaiming = undefined
    })
    return this.#reclaiming
  }

  /**
   * Moves what Python delayed among our own delayed messages: taken into the hand, and stored anew in the step that
   * lets it go, so that a crash in between loses nothing.
   */
  takeOver(): Promise<void> {
    this.#takingOver ??= this.#takeOverAll()
      .catch((error) => {
        this.#setDoubtful()
        throw error
      })
      .finally(() => {
        this.#takingOver = undefined
      })
    return this.#takingOver
  }

  async #takeOverAll(): Promise<void> {
    const { queue, owner } = this
    const source = { acks: this.delayQueueAcks, queue, bodies: queue.delayQueueMessages }
    const keys = [owner.keys.heartbeats, this.delayQueueAcks, queue.delayQueueMessages, queue.delayQueue]
    for (let full = true; full; ) {
      const most = 250
      const answer = (await this.take(() =>
        owner.link.run(script('hold-delayed'), keys, [owner.worker, most], { binary: true }),
      )) as Buffer[]
      full = answer.length === 2 * most
      const settlements: Settlement[] = []
      const hopeless: (Settlement & { letter: DeadLetterReason })[] = []
      for (let at = 0; at < answer.length; at += 2) {
        const id = (answer[at] as Buffer).toString('latin1')
        try {
          settlements.push({ id, again: false, parcels: [this.#parcelOfDelayed(answer[at + 1] as Buffer)] })
        } catch (error) {
          const reason = `The body is not a message: ${(error as Error).message}`
          hopeless.push({ id, again: false, parcels: [], letter: { reason } })
        }
      }
      if (settlements.length > 0) await this.change(() => settle(owner.link, source, settlements))
      if (hopeless.length > 0) await this.change(() => deadLetter(owner.link, source, hopeless, Date.now()))
    }
  }

  #parcelOfDelayed(bytes: Buffer): Parcel {
    const text = readBody(bytes, true)
    if (typeof text !== 'string') throw new SyntaxError('it is not valid UTF-8')
    return parcelOfDelayed(this.queue, text)
  }
}
