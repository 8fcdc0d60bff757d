import type { Consumer, DeadLetterReason, Delivery, StateSettlement } from '../../lib/consumer.js'
import type { Entry } from '../../lib/outcome.js'
import type { Refusal, StateChange } from '../../lib/state/changes.js'
import type { MemoryQueue } from './queue.js'
import { StoredMessage } from './stored-message.js'

/** Converts messages to stored ones; throws before anything is stored. */
export type Prepare = (sends: readonly Entry[]) => readonly StoredMessage[]

type Change = (changes: readonly StateChange[]) => Refusal | undefined

export interface MemoryConsumerOptions {
  readonly queue: MemoryQueue
  readonly prepare: Prepare
  /** Changes the state of the broker. */
  readonly change: Change
  /** Whether some message was marked as cancelled. */
  readonly hasCancellations: () => boolean
}

const done = Promise.resolve()

/** Consumes one queue. Everything but a wait has happened when the call returns. */
export class MemoryConsumer implements Consumer {
  readonly #queue: MemoryQueue
  readonly #prepare: Prepare
  readonly #change: Change
  readonly #hasCancellations: () => boolean
  #closed = false

  constructor({ queue, prepare, change, hasCancellations }: MemoryConsumerOptions) {
    this.#queue = queue
    this.#prepare = prepare
    this.#change = change
    this.#hasCancellations = hasCancellations
  }

  get queueName(): string {
    return this.#queue.name
  }

  take(limit: number): Promise<readonly Delivery[]> {
    const batch = this.#closed ? [] : this.#queue.take(limit)
    if (batch.length > 0 || this.#closed || limit <= 0) return Promise.resolve(this.#looked(batch))
    return this.#queue.wait(limit, this).then((taken) => this.#looked(taken))
  }

  #looked(batch: readonly StoredMessage[]): readonly StoredMessage[] {
    const mayBeCancelled = this.#hasCancellations()
    for (const stored of batch) stored.mayBeCancelled = mayBeCancelled
    return batch
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

  async settleWith(delivery: Delivery, { letter, sends, changes }: StateSettlement): Promise<Refusal | undefined> {
    let refusal: Refusal | undefined
    await this.#settle(
      delivery,
      sends,
      (stored) => void (letter && stored.queue.dead.add(stored, letter)),
      () => {
        refusal = this.#change(changes)
        return refusal === undefined
      },
    )
    return refusal
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
  #settle(
    delivery: Delivery,
    sends: readonly Entry[],
    then?: (stored: StoredMessage) => void,
    isAllowed?: () => boolean,
  ): Promise<void> {
    if (!(delivery instanceof StoredMessage) || !delivery.isUnacked) return done
    try {
      const prepared = sends.length > 0 ? this.#prepare(sends) : []
      if (isAllowed && !isAllowed()) return done
      for (const stored of prepared) stored.queue.add(stored)
    } catch (error) {
      return Promise.reject(error)
    }
    then?.(delivery)
    delivery.queue.release(delivery)
    return done
  }
}
