/**
 * A message as it is stored in memory. It is its own delivery, so that taking allocates nothing. A requeued message
 * becomes a new object, so that a late settlement of the old one has no effect.
 */
import type { Delivery } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import type { MemoryQueue } from './queue.js'

export class StoredMessage implements Delivery {
  /** Its position in the queue, assigned when it becomes ready. */
  order = 0
  taken = false
  mayBeCancelled = false
  /** Links of the list of unacked messages. */
  previous: StoredMessage | undefined
  next: StoredMessage | undefined
  /** The generation of its queue it belongs to; a flush begins another. */
  readonly generation: number

  constructor(
    readonly queue: MemoryQueue,
    readonly body: Body,
    readonly priority: number,
    /** When it may be taken, in milliseconds since the epoch; 0 for immediately. */
    readonly due: number,
    public deliveryCount = 0,
    /** By which it is found while it waits. */
    readonly handle: string | undefined = undefined,
  ) {
    this.generation = queue.generation
  }

  get queueName(): string {
    return this.queue.name
  }

  /** Whether it is unacked, as far as the queue knows. */
  get isUnacked(): boolean {
    return this.taken && this.generation === this.queue.generation
  }

  /** The same message, to be stored again. */
  requeued(due: number, deliveryCount: number): StoredMessage {
    return new StoredMessage(this.queue, this.body, this.priority, due, deliveryCount, this.handle)
  }
}

/** The priority of a message: 0 if it is no number, otherwise clamped. */
export function readPriority(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(9, Math.trunc(value)) : 0
}
