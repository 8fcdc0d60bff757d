/** The entry point `dramatis/memory`. */
export { MemoryBroker } from './broker.js'
export { MemoryRateLimits, type MemoryRateLimitsOptions } from './rate-limits.js'
export { MemoryResults, type MemoryResultsOptions } from './results.js'
export { MemoryState } from './state.js'
