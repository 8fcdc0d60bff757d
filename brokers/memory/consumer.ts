import type { Consumer, DeadLetterReason, Delivery } from '../../lib/consumer.js'
import type { Entry } from '../../lib/outcome.js'
import type { MemoryQueue } from './queue.js'
import { StoredMessage } from './stored-message.js'

/** Converts messages to stored ones; throws before anything is stored. */
export type Prepare = (sends: readonly Entry[]) => readonly StoredMessage[]

const done = Promise.resolve()

/** Consumes one queue. Everything but a wait has happened when the call returns. */
export class MemoryConsumer implements Consumer {
  readonly #queue: MemoryQueue
  readonly #prepare: Prepare
  #closed = false

  constructor(queue: MemoryQueue, prepare: Prepare) {
    this.#queue = queue
    this.#prepare = prepare
  }

  get queueName(): string {
    return this.#queue.name
  }

  take(limit: number): Promise<readonly Delivery[]> {
    const batch = this.#closed ? [] : this.#queue.take(limit)
    if (batch.length > 0 || this.#closed || limit <= 0) return Promise.resolve(batch)
    return this.#queue.wait(limit, this)
  }

  /** Nothing to record: the memory is lost with the process. */
  begin(): Promise<void> {
    return done
  }

  ack(delivery: Delivery, sends: readonly Entry[]): Promise<void> {
    return this.#settle(delivery, sends)
  }

  deadLetter(delivery: Delivery, rejection: DeadLetterReason, sends: readonly Entry[]): Promise<void> {
    return this.#settle(delivery, sends, (stored) => stored.queue.dead.add(stored, rejection))
  }

  requeue(
    delivery: Delivery,
    { counted = false, delay = 0 }: { counted?: boolean; delay?: number } = {},
  ): Promise<void> {
    return this.#settle(delivery, [], (stored) => {
      const { queue, deliveryCount } = stored
      const count = counted ? deliveryCount : deliveryCount - 1
      if (delay > 0) queue.add(stored.requeued(queue.clock.now() + delay, count))
      else if (counted) queue.add(stored.requeued(0, count))
      else queue.requeue(stored.requeued(0, count), stored.order)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#queue.endWaits(this)
  }

  /** Stores the sends and removes the delivery; does nothing if the delivery is no longer unacked. */
  #settle(delivery: Delivery, sends: readonly Entry[], then?: (stored: StoredMessage) => void): Promise<void> {
    if (!(delivery instanceof StoredMessage) || !delivery.isUnacked) return done
    if (sends.length > 0) {
      try {
        for (const stored of this.#prepare(sends)) stored.queue.add(stored)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    then?.(delivery)
    delivery.queue.release(delivery)
    return done
  }
}
