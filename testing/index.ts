/** The entry point `dramatis/testing`. */
export type { Faults } from './faults.js'
export type { End, EndedDelivery, SentMessage } from './history.js'
export type { AnyHandle, ArgumentPatterns, Pattern } from './matching.js'
export { TestBroker, type TestBrokerOptions, testBroker } from './test-broker.js'
