import { expected, refuseUnknown } from '../checks.js'
import type { Duration } from '../duration.js'
import { parseDuration } from '../time.js'
import type { RateLimitBackend } from './backend.js'
import { RateLimiter, readLimit } from './rate-limiter.js'

export interface WindowRateLimiterOptions {
  /**
   * How many slots there are in any period of the window's length.
   * @default 1
   */
  limit?: number | undefined
  /**
   * The length of the window: whole seconds.
   * @default '1s'
   */
  window?: Duration | undefined
}

/**
 * Allows a number of acquisitions within the last `window` of time, at every moment; slots aren't released. Uses one
 * key per second of the window: for windows of hours use a `BucketRateLimiter`.
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
    const keys = this.#keys(this.#second())
    return this.backend.incrAndSum(keys[0] as string, keys, 1, this.limit, this.window)
  }

  /**
   * The time until the oldest second with an acquisition leaves the window; the whole window if the backend can't tell.
   */
  protected override async retryAfter(): Promise<number> {
    const second = this.#second()
    const counts = await this.backend.read?.(this.#keys(second))
    if (!counts) return this.window
    const oldest =
      second -
      Math.max(
        0,
        counts.findLastIndex((count) => count > 0),
      )
    return Math.max(0, oldest * 1000 + this.window - this.backend.now())
  }

  #second(): number {
    return Math.floor(this.backend.now() / 1000)
  }

  /** The keys of the seconds in the window, the latest first. */
  #keys(second: number): string[] {
    return Array.from({ length: this.window / 1000 }, (_, ago) => `${this.key}@${second - ago}`)
  }
}
