import { refuseUnknown } from '../checks.js'
import type { Duration } from '../duration.js'
import type { RateLimitBackend } from './backend.js'
import { RateLimiter, readLimit, readSpan } from './rate-limiter.js'

export interface BucketRateLimiterOptions {
  /**
   * How many slots a bucket holds.
   * @default 1
   */
  limit?: number | undefined
  /**
   * How long a bucket lasts.
   * @default '1s'
   */
  bucket?: Duration | undefined
}

/**
 * Allows a number of acquisitions per bucket of time; slots aren't released. Cheap: one key per bucket.
 *
 * Don't use it if bursts are harmful: buckets have fixed boundaries, so that up to twice the limit may pass around a
 * boundary. `WindowRateLimiter` doesn't have this problem.
 *
 * @example
 * const limiter = new BucketRateLimiter(backend, 'mails', { limit: 100, bucket: '1m' })
 */
export class BucketRateLimiter extends RateLimiter {
  readonly limit: number
  readonly bucket: number

  constructor(backend: RateLimitBackend, key: string, options: BucketRateLimiterOptions = {}) {
    super(backend, key)
    refuseUnknown(options, ['limit', 'bucket'], 'a BucketRateLimiter')
    const { limit = 1, bucket = '1s' } = options
    this.limit = readLimit(limit)
    this.bucket = readSpan(bucket, 'bucket')
  }

  protected override async retryAfter(): Promise<number> {
    return this.bucket - (this.backend.now() % this.bucket)
  }

  protected async take(): Promise<boolean> {
    const { backend, limit, bucket } = this
    const now = backend.now()
    const key = `${this.key}@${now - (now % bucket)}`
    return (await backend.add(key, 1, bucket)) || backend.incr(key, 1, limit, bucket)
  }
}
