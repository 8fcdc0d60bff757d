/**
 * The entry point `dramatis/sqlite`: one file for messages, results and rate limits, shared by the processes of a
 * machine.
 */
export { SQLiteBroker, type SQLiteBrokerOptions } from './broker.js'
export type { SQLiteFileOptions } from './connection/file-options.js'
export { SQLiteRateLimits } from './rate-limits.js'
export { SQLiteResults, type SQLiteResultsOptions } from './results.js'
export { SQLiteState } from './state.js'
