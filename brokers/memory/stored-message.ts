/**
 * A message as it is held in memory. It is handed out as its own delivery, so that taking allocates nothing; what goes
 * back becomes another one, so that a settlement that comes too late finds its own spent.
 */
import type { Delivery } from '../../lib/consumer.js'
import type { Body } from '../../lib/encoder.js'
import type { MemoryQueue } from './queue.js'

export class StoredMessage implements Delivery {
  /** Its place in the line, given when it becomes ready. */
  order = 0
  taken = false
  /** Which life of its queue it belongs to; a flush begins another. */
  readonly generation: number

  constructor(
    readonly queue: MemoryQueue,
    readonly body: Body,
    readonly priority: number,
    /** When it may be taken, in milliseconds since the epoch; 0 means at once. */
    readonly due: number,
    public deliveryCount = 0,
  ) {
    this.generation = queue.generation
  }

  get queueName(): string {
    return this.queue.name
  }

  /** Whether it is in a worker's hands, as far as the queue knows. */
  get isUnacked(): boolean {
    return this.taken && this.generation === this.queue.generation
  }

  /** The same message, to be held again. */
  requeued(due: number, deliveryCount: number): StoredMessage {
    return new StoredMessage(this.queue, this.body, this.priority, due, deliveryCount)
  }
}

/** The level of a message: what is no number is 0, what is off the scale at its end. */
export function readPriority(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(9, Math.trunc(value)) : 0
}
