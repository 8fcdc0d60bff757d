import { refuseUnknown } from '../options.js'
import type { Duration } from '../time.js'
import type { RateLimitBackend } from './backend.js'
import { RateLimiter, readLimit, readSpan } from './rate-limiter.js'

export interface ConcurrentRateLimiterOptions {
  /**
   * How many may hold a slot at the same time. 1 makes a mutex.
   * @default 1
   */
  limit?: number | undefined
  /**
   * After how long without a change the slots count as free: what a process that died held comes back then. Choose it
   * longer than any run.
   * @default '15m'
   */
  ttl?: Duration | undefined
}

/**
 * Lets a number of holders at it at the same time, over all processes. Use it to protect what can't be done twice at
 * once, or a service that serves few at a time.
 *
 * @example
 * const mutex = new ConcurrentRateLimiter(backend, 'invoices', { limit: 1, ttl: '5m' })
 * await mutex.acquire(() => writeInvoice())
 */
export class ConcurrentRateLimiter extends RateLimiter {
  readonly limit: number
  readonly ttl: number

  constructor(backend: RateLimitBackend, key: string, options: ConcurrentRateLimiterOptions = {}) {
    super(backend, key)
    refuseUnknown(options, ['limit', 'ttl'], 'a ConcurrentRateLimiter')
    const { limit = 1, ttl = '15m' } = options
    this.limit = readLimit(limit)
    this.ttl = readSpan(ttl, 'ttl')
  }

  protected async take(): Promise<boolean> {
    const { backend, key, limit, ttl } = this
    return (await backend.add(key, 1, ttl)) || backend.incr(key, 1, limit, ttl)
  }

  protected override async giveBack(): Promise<void> {
    await this.backend.decr(this.key, 1, 0, this.ttl)
  }
}
