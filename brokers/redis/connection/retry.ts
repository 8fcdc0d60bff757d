/**
 * Retries idempotent calls, those that have the same effect when made twice. When a connection breaks, replies are lost
 * with it, and whether the call was executed is unknown.
 */
import { ConnectionFailed } from '../../../lib/errors.js'
import { backoff, pause } from '../../../lib/time.js'
import { type CallOptions, defaultTimeout } from './call-options.js'
import { NoReply } from './failures.js'

/** The timeout of the first attempt in milliseconds. It doubles with each further attempt. */
const firstTimeout = 2000

/** The options of one attempt, to be passed to `CommandConnection.call` unchanged. */
export interface Attempt extends CallOptions {
  /** The timeout of the attempt in milliseconds. */
  readonly timeout: number
  readonly retried: true
  /** Whether an earlier attempt may have been executed. */
  readonly mayHaveRun: boolean
}

/**
 * Repeats a call until there is a reply, for `within` milliseconds at most.
 * @param isOver Whether to make no further attempt.
 * @throws {ConnectionFailed} when there was no reply. Any other error of an attempt is rethrown immediately.
 */
export async function retryIdempotent<T>(
  within: number,
  call: (attempt: Attempt) => Promise<T>,
  isOver: () => boolean = () => false,
): Promise<T> {
  const deadline = performance.now() + within
  let mayHaveRun = false
  for (let failures = 0; ; failures++) {
    const left = Math.max(1, Math.ceil(deadline - performance.now()))
    try {
      const timeout = Math.min(left, defaultTimeout, firstTimeout * 2 ** failures)
      return await call({ timeout, retried: true, mayHaveRun })
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error
      if (error instanceof NoReply) mayHaveRun = true
      const wait = backoff(failures, { factor: 10, max: 500 })
      if (performance.now() + wait >= deadline || isOver()) throw error
      await pause(wait)
    }
  }
}
