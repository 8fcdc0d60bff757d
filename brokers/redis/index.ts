/** The door to Redis: a broker on Dramatiq's wire, and results and rate limits beside it. */
export { RedisBroker, type RedisBrokerOptions } from './broker.js'
export type { RedisConnectionOptions } from './connection/options.js'
export { RedisRateLimits } from './rate-limits.js'
export { RedisResults, type RedisResultsOptions } from './results.js'
export type { DelayQueue } from './sending/enqueue-records.js'
