/**
 * Asking again: for calls that may be made twice with the effect of one. A connection that breaks takes answers with it,
 * and whether the call was carried out can't be known.
 */
import { ConnectionFailed } from '../../../lib/errors.js'
import { backoff, pause } from '../../../lib/time.js'
import { defaultTimeout } from './command-connection.js'
import { NoReply } from './failures.js'

/** How a call is made: see `Link.call`. */
export interface CallOptions {
  /**
   * How long the answer may take, connecting included, in milliseconds.
   * @default 5000
   */
  readonly timeout?: number
  /**
   * Whether the caller calls again when there is no answer (`insist`). Then a connection that was quiet for long is used
   * while it is still being looked at; without it only after it was.
   */
  readonly retried?: boolean
}

/** How long the first attempt may take, in milliseconds; each one after it twice as long. */
const firstTimeout = 2000

/** How one attempt is made: to be given to `Link.call` as it is. */
export interface Attempt extends CallOptions {
  /** How long its answer may take, in milliseconds. */
  readonly timeout: number
  readonly retried: true
  /** Whether an earlier attempt may have been carried out. */
  readonly mayHaveRun: boolean
}

/**
 * Asks until there is an answer, for `within` milliseconds at most.
 * @param isOver Whether no further attempt shall be made.
 * @throws {ConnectionFailed} when there was none; whatever else an attempt rejects with, at once.
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
