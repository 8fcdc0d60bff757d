import type { Execution } from '../execution.js'
import type { PoolThread } from './pool-thread.js'

/** One message on the thread. */
export interface Run {
  readonly thread: PoolThread
  readonly id: number
  readonly execution: Execution
  readonly slot: number
  readonly dispatchedAt: number
  /** The thread has aborted its signal, so its event loop was alive. */
  abortReceived: boolean
  /** Milliseconds in which it couldn't run that were already granted. */
  excusedTime: number
  /** Since when the thread's loop hasn't turned, and since when that is known; 0 while it does. */
  unresponsiveSince: number
  uncertainSince: number
}
