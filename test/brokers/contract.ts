/**
 * The contract tests that every broker must pass: what `lib/broker.ts` promises, tested at the level of brokers and
 * consumers. The tests are in `contract/`, one file per topic.
 */
import { consuming } from './contract/consuming.js'
import { deadLetters } from './contract/dead-letters.js'
import { durations } from './contract/durations.js'
import { type Capabilities, Exam, type MakeBroker } from './contract/exam.js'
import { failures } from './contract/failures.js'
import { flushJoinClose } from './contract/flush-join-close.js'
import { sending } from './contract/sending.js'
import { settling } from './contract/settling.js'
import { severalBrokers } from './contract/several-brokers.js'

export type { Capabilities, Feature, MakeBroker } from './contract/exam.js'

/**
 * Runs the contract tests on a broker.
 *
 * @param name The name of the broker in the titles.
 * @param make Makes a broker with these settings on its own empty store. The test closes it.
 * @param capabilities What the broker doesn't support, and how its store is shared.
 */
export function testBroker(name: string, make: MakeBroker, capabilities: Capabilities = {}): void {
  const exam = new Exam(name, make, capabilities)
  sending(exam)
  consuming(exam)
  settling(exam)
  deadLetters(exam)
  severalBrokers(exam)
  flushJoinClose(exam)
  failures(exam)
  durations(exam)
}
