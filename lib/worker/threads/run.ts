import type { Execution } from '../execution.js'
import type { PoolThread } from './pool-thread.js'

/** A message on a thread. */
export interface Run {
  readonly thread: PoolThread
  readonly id: number
  readonly execution: Execution
  readonly slot: number
  readonly dispatchedAt: number
  /** Whether the thread confirmed the abort of its signal, so that its event loop was alive then. */
  abortReceived: boolean
  /** Milliseconds in which it couldn't run that were already added to its time limit. */
  excusedTime: number
  /** Since when the event loop hasn't turned, and since when that is known; 0 while it turns. */
  unresponsiveSince: number
  uncertainSince: number
}
