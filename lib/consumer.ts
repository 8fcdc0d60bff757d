/** What a broker exchanges with workers and with people: deliveries and their settlements, dead letters, counts. */
import type { Body } from './encoder.js'
import type { Entry } from './outcome.js'
import type { Refusal, StateChange } from './state/changes.js'

/** A message handed to a worker. The worker must settle it with exactly one of `ack`, `deadLetter` and `requeue`. */
export interface Delivery {
  /** The canonical name of the queue it was taken from. */
  readonly queueName: string
  readonly body: Body
  /** How many times it was delivered, this time included. Deliveries that were requeued uncounted don't count. */
  readonly deliveryCount: number
  /** 0 to 9. */
  readonly priority: number
  /**
   * Whether some message of the broker was marked as cancelled when this one was taken: then the worker looks whether it
   * is this one. Brokers without state of their own leave it out.
   */
  readonly mayBeCancelled?: boolean | undefined
}

/** Consumes one queue for a worker. Its calls reject if the broker can't be reached; the worker retries them. */
export interface Consumer {
  readonly queueName: string
  /**
   * Waits until there are messages and takes them: highest priority first, then oldest first. May return none: when it
   * was closed, or to let the caller check its state.
   */
  take(limit: number): Promise<readonly Delivery[]>
  /**
   * Records that the actor is about to run. Called for redeliveries (`deliveryCount` over 1): if this worker is lost as
   * well, the running message is distinguished from prefetched ones.
   */
  begin(delivery: Delivery): Promise<void>
  /**
   * Acknowledges: removes the message and stores `sends` in one atomic step (if the broker can), so that a retry neither
   * loses nor duplicates it. Does nothing if the delivery was reclaimed in the meantime.
   */
  ack(delivery: Delivery, sends: readonly Entry[]): Promise<void>
  /** Dead-letters: moves the unchanged body to the dead letters, and stores `sends` in the same step. */
  deadLetter(delivery: Delivery, rejection: DeadLetterReason, sends: readonly Entry[]): Promise<void>
  /**
   * Acknowledges the message, or dead-letters it if there is a `letter`, stores `sends` and changes the state of the
   * broker, in one atomic step. Returns what was refused, if nothing was done. Brokers without state of their own don't
   * have it.
   */
  settleWith?(delivery: Delivery, step: StateSettlement): Promise<Refusal | undefined>
  /**
   * Requeues the message: uncounted, as if it had never been delivered, or `counted` as a delivery. It is delivered
   * again immediately, or after `delay` milliseconds.
   */
  requeue(delivery: Delivery, how?: { counted?: boolean; delay?: number }): Promise<void>
  /** Ends every waiting `take`. Deliveries can still be settled. */
  close(): Promise<void>
}

/** A settlement that changes the state. */
export interface StateSettlement {
  readonly letter: DeadLetterReason | undefined
  readonly sends: readonly Entry[]
  readonly changes: readonly StateChange[]
}

/** A message as it is stored in its queue. */
export interface ScannedMessage {
  readonly body: Body
  /** `'ready'`: it waits to be delivered. `'delayed'`: for the end of its delay. `'held'`: it is delivered and unacked. */
  readonly state: 'ready' | 'delayed' | 'held'
  /** Identifies it for the broker. */
  readonly ref: unknown
}

/** Searches the messages of queues. */
export interface QueueSearch {
  /**
   * All messages of a queue but its dead letters, in pages of bounded size and in no particular order. One that moves
   * from one state to another meanwhile may be found twice or, when it is retried, be missed.
   * @param options.containing Only messages whose bodies contain this text, byte by byte.
   */
  scan(queueName: string, options: { containing?: string | undefined }): AsyncIterable<readonly ScannedMessage[]>
  /** Makes delayed messages due, those that still are delayed. */
  runNow(queueName: string, refs: readonly unknown[]): Promise<void>
}

/** Why a message was dead-lettered. */
export interface DeadLetterReason {
  /** A sentence for people. */
  readonly reason: string
  /** The stack of the error, if there was one. */
  readonly traceback?: string | undefined
}

/** A dead-lettered message. */
export interface DeadLetter extends DeadLetterReason {
  /** Its id on this broker, for `requeueDeadLetter` and `deleteDeadLetter`. */
  readonly id: string
  readonly queueName: string
  readonly body: Body
  /** When it was dead-lettered, in milliseconds since the epoch. */
  readonly deadAt: number
}

/** A page of dead letters, oldest first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** The cursor of the next page; absent on the last one. */
  readonly cursor?: string
}

/** How many messages of a queue are in each state. */
export interface QueueStats {
  /** Waiting to be delivered. */
  readonly ready: number
  /** Waiting for their delay to end. */
  readonly delayed: number
  /** Delivered and unacked. */
  readonly inFlight: number
  /** Dead-lettered. */
  readonly dead: number
}
