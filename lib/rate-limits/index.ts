/**
 * The entry point `dramatis/rate-limits`. A limiter needs a backend, which belongs to a broker's technology:
 * `MemoryRateLimits`, `SQLiteRateLimits`, `RedisRateLimits`.
 */
export { RateLimitExceeded } from '../errors.js'
export type { RateLimitBackend } from './backend.js'
export { Barrier, type BarrierOptions, type BarrierWaitOptions } from './barrier.js'
export { BucketRateLimiter, type BucketRateLimiterOptions } from './bucket.js'
export { ConcurrentRateLimiter, type ConcurrentRateLimiterOptions } from './concurrent.js'
export { RateLimiter, type Slot } from './rate-limiter.js'
export { WindowRateLimiter, type WindowRateLimiterOptions } from './window.js'
