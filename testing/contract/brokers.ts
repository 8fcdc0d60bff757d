/**
 * The contract tests that every broker must pass: what `lib/broker.ts` promises, tested at the level of brokers and
 * consumers. The tests are in `brokers/`, one file per topic.
 */
import { consuming } from './brokers/consuming.js'
import { deadLetters } from './brokers/dead-letters.js'
import { durations } from './brokers/durations.js'
import { type Capabilities, Exam, type MakeBroker } from './brokers/exam.js'
import { failures } from './brokers/failures.js'
import { flushJoinClose } from './brokers/flush-join-close.js'
import { scanning } from './brokers/scanning.js'
import { sending } from './brokers/sending.js'
import { settling } from './brokers/settling.js'
import { severalBrokers } from './brokers/several-brokers.js'

import type { TestFunction } from './contract-test.js'

/** What `brokerContract` needs; and as `Capabilities`, what the broker doesn't support, and how its store is shared. */
export interface BrokerContractOptions extends Capabilities {
  /** The function of the test runner that registers a test. */
  test: TestFunction
  /** The name of the broker in the titles. */
  name: string
  /** Makes a broker with these options on its own empty store. The test closes it. */
  make: MakeBroker
}

/**
 * Registers the contract tests of brokers: what workers and senders rely on.
 *
 * @example
 * import { test } from 'node:test'
 * brokerContract({ test, name: 'MyBroker', make: (options) => new MyBroker(options), lacks: ['priorities'] })
 */
export function brokerContract({ test, name, make, ...capabilities }: BrokerContractOptions): void {
  const exam = new Exam(test, name, make, capabilities)
  sending(exam)
  consuming(exam)
  settling(exam)
  deadLetters(exam)
  severalBrokers(exam)
  flushJoinClose(exam)
  failures(exam)
  durations(exam)
  scanning(exam)
}
