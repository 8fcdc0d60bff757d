/** The entry point for Redis: a broker that is compatible with Dramatiq, and backends for results and rate limits. */
export { RedisBroker, type RedisBrokerOptions } from './broker.js'
export type { RedisConnectionOptions } from './connection/options.js'
export { RedisRateLimits } from './rate-limits.js'
export { RedisResults, type RedisResultsOptions } from './results.js'
export type { DelayQueue } from './sending/enqueue-records.js'
export { RedisState, type RedisStateOptions } from './state.js'
