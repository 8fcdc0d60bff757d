/**
 * What passes between a broker and those who work on its queues: deliveries and their settlements, dead letters, counts.
 */
import type { Body } from './encoder.js'
import type { Entry } from './outcome.js'

/** A message handed to a worker, which owes the broker a settlement: exactly one of `ack`, `deadLetter`, `requeue`. */
export interface Delivery {
  /** The canonical name of the queue it was taken from. */
  readonly queueName: string
  readonly body: Body
  /** How many workers were given it, this one included; what went back in good order doesn't count. */
  readonly deliveryCount: number
  /** 0 to 9. */
  readonly priority: number
}

/** One queue, as a worker consumes it. Its calls reject when the broker can't be reached; the worker calls again. */
export interface Consumer {
  readonly queueName: string
  /**
   * Waits until there is something to do and takes it: highest priority first, then oldest first. May come back
   * with nothing: when it was closed, or so that the caller can look around.
   */
  take(limit: number): Promise<readonly Delivery[]>
  /**
   * Notes that the actor is about to run. Called for what was delivered before (`deliveryCount` over 1): should this
   * worker die too, the message that killed it is told from those that only lay beside it.
   */
  begin(delivery: Delivery): Promise<void>
  /**
   * Done with: removes the message and stores `sends` in one atomic step (where the broker can), so that a retry
   * neither loses nor doubles it. Does nothing at all when the delivery was taken back meanwhile.
   */
  ack(delivery: Delivery, sends: readonly Entry[]): Promise<void>
  /** Given up: moves the body, unchanged, to the dead letters, and stores `sends` in the same step. */
  deadLetter(delivery: Delivery, rejection: DeadLetterReason, sends: readonly Entry[]): Promise<void>
  /**
   * Gives the message back: uncounted, as if it had never been taken, or `counted` as a delivery. It is handed out
   * again at once or after `delay` milliseconds.
   */
  requeue(delivery: Delivery, how?: { counted?: boolean; delay?: number }): Promise<void>
  /** Ends every waiting `take`. What was taken can still be settled. */
  close(): Promise<void>
}

/** Why a message was given up. */
export interface DeadLetterReason {
  /** A sentence for people. */
  readonly reason: string
  /** The stack of the error, where there was one. */
  readonly traceback?: string | undefined
}

/** A message that was given up, as it is kept for people to look at. */
export interface DeadLetter extends DeadLetterReason {
  /** Names it on this broker, for `requeueDeadLetter` and `deleteDeadLetter`. */
  readonly id: string
  readonly queueName: string
  readonly body: Body
  /** When it was given up, in milliseconds since the epoch. */
  readonly deadAt: number
}

/** A page of dead letters, oldest first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** Where the next page begins; absent on the last one. */
  readonly cursor?: string
}

/** How many messages a queue holds, by state. */
export interface QueueStats {
  /** Waiting to be taken. */
  readonly ready: number
  /** Waiting for their time. */
  readonly delayed: number
  /** In the hands of workers. */
  readonly inFlight: number
  /** Given up. */
  readonly dead: number
}
