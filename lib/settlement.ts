/**
 * The settlement of a delivery: passed to `afterSettleMessage`, once every plugin has decided and the broker has stored
 * it.
 */

/** The settlement of a message, as the broker stored it. */
export interface Settlement {
  /**
   * `'ack'`: succeeded. `'retry'`: failed, and will run again. `'dead-letter'`: dead-lettered. `'cancel'`: acknowledged as
   * cancelled (`CancelledError`). `'skip'`: acknowledged without running (`SkipMessage`). `'requeue'`: back on its
   * queue, with no attempt counted (a shutdown, a lost thread, no slot of a rate limiter), or because an essential plugin
   * failed.
   */
  readonly decision: 'ack' | 'retry' | 'dead-letter' | 'cancel' | 'skip' | 'requeue'
  /** The number of this attempt, from 1. */
  readonly attempt: number
  /** The maximum number of attempts, if known: with `Retries`, `maxRetries` + 1. */
  readonly maxAttempts?: number | undefined
  /** What the actor returned, after an `'ack'`. */
  readonly result?: unknown
  /** The error, if there was one. */
  readonly error?: Error | undefined
  /** Why it was dead-lettered, cancelled, skipped or requeued, in words. */
  readonly reason?: string | undefined
  /** In how many milliseconds it may run again, after a `'retry'` or a `'requeue'`. */
  readonly delay?: number | undefined
}

/** A settlement that is about to be stored; or the end of a message that was removed with its queue, by `flush()`. */
export interface PendingSettlement extends Omit<Settlement, 'decision'> {
  readonly decision: Settlement['decision'] | 'flush'
}
