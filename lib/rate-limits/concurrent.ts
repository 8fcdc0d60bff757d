import { refuseUnknown } from '../checks.js'
import type { Duration } from '../duration.js'
import type { RateLimitBackend } from './backend.js'
import { RateLimiter, readLimit, readSpan } from './rate-limiter.js'

export interface ConcurrentRateLimiterOptions {
  /**
   * How many slots may be held at the same time. 1 makes a mutex.
   * @default 1
   */
  limit?: number | undefined
  /**
   * After how long without a change all slots count as free, including those of processes that died. Choose it longer
   * than any run.
   * @default '15m'
   */
  ttl?: Duration | undefined
}

/**
 * Limits how many holders there are at the same time, over all processes. Use it to protect operations that must not
 * run concurrently, or a service with a limited capacity.
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
