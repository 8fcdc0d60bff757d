/** The entry point `dramatis/testing/contract`. */

export type { Capabilities, Feature, MakeBroker } from './brokers/exam.js'
export { type BrokerContractOptions, brokerContract } from './brokers.js'
export type { Teardowns, TestFunction } from './contract-test.js'
export { type MakeRateLimits, type RateLimitsContractOptions, rateLimitsContract } from './rate-limits.js'
export { type MakeResults, type ResultsContractOptions, resultsContract } from './results.js'
export { type MakeState, type StateContractOptions, stateContract } from './state.js'
