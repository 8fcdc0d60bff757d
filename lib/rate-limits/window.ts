import { expected, refuseUnknown } from '../options.js'
import { type Duration, parseDuration } from '../time.js'
import type { RateLimitBackend } from './backend.js'
import { RateLimiter, readLimit } from './rate-limiter.js'

export interface WindowRateLimiterOptions {
  /**
   * How many slots there are in any stretch of time as long as the window.
   * @default 1
   */
  limit?: number
  /**
   * How long the window is: whole seconds.
   * @default '1s'
   */
  window?: Duration
}

/**
 * Lets so many through in the last `window` of time, at every moment; slots aren't given back. One key a second of the
 * window: for windows of hours take a `BucketRateLimiter`.
 *
 * @example
 * const limiter = new WindowRateLimiter(backend, 'api', { limit: 30, window: '1m' })
 */
export class WindowRateLimiter extends RateLimiter {
  readonly limit: number
  /** In milliseconds. */
  readonly window: number

  constructor(backend: RateLimitBackend, key: string, options: WindowRateLimiterOptions = {}) {
    super(backend, key)
    refuseUnknown(options, ['limit', 'window'], 'a WindowRateLimiter')
    const { limit = 1, window = '1s' } = options
    this.limit = readLimit(limit)
    this.window = parseDuration(window, 'window')
    if (this.window === 0 || this.window % 1000 !== 0) throw expected('whole seconds, 1 or more', window, 'window')
  }

  protected take(): Promise<boolean> {
    const second = Math.floor(this.backend.now() / 1000)
    const keys = Array.from({ length: this.window / 1000 }, (_, ago) => `${this.key}@${second - ago}`)
    return this.backend.incrAndSum(keys[0] as string, keys, 1, this.limit, this.window)
  }
}
