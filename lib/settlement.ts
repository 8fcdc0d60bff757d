/**
 * What became of a delivery in the end: told to `afterSettleMessage`, once every plugin decided and the broker stored it.
 */

/** What became of a message, as the broker has it now. */
export interface Settlement {
  /**
   * `'ack'`: done. `'retry'`: failed, and will run again. `'dead-letter'`: given up. `'skip'`: acknowledged without having
   * been run (`SkipMessage`). `'requeue'`: back on its queue, no attempt counted (a shutdown, a lost thread, no slot of a
   * rate limiter), or since an essential plugin failed.
   */
  readonly decision: 'ack' | 'retry' | 'dead-letter' | 'skip' | 'requeue'
  /** Which attempt this was, from 1. */
  readonly attempt: number
  /** How many attempts there may be, where that is known: for `Retries`, `maxRetries` + 1. */
  readonly maxAttempts?: number | undefined
  /** What the actor returned, after an `'ack'`. */
  readonly result?: unknown
  /** What was thrown, where something was. */
  readonly error?: Error | undefined
  /** Why it was given up, skipped or put back, in words. */
  readonly reason?: string | undefined
  /** For how many milliseconds it waits until it may run again, after a `'retry'` or a `'requeue'`. */
  readonly delay?: number | undefined
}
