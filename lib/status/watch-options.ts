/** How a message is followed. */
import type { Duration } from '../duration.js'

/** Options of `progress()` and `watchStatus()`. */
export interface WatchOptions {
  /** Ends the iteration with an error, the `reason` of the signal. */
  signal?: AbortSignal | undefined
  /**
   * How long to wait for the first record of a message that is unknown: one from Python has none until it starts.
   * @default 0
   */
  timeout?: Duration | undefined
}
