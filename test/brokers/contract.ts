/**
 * The one exam that every broker sits: what the contract in `lib/broker.ts` promises, asked at the level of brokers
 * and consumers. The questions stand in `contract/`, a family a file.
 */
import { consuming } from './contract/consuming.js'
import { deadLetters } from './contract/dead-letters.js'
import { durations } from './contract/durations.js'
import { ending } from './contract/ending.js'
import { type Capabilities, Exam, type MakeBroker } from './contract/exam.js'
import { failing } from './contract/failing.js'
import { sending } from './contract/sending.js'
import { settling } from './contract/settling.js'
import { sharing } from './contract/sharing.js'

export type { Capabilities, Feature, MakeBroker } from './contract/exam.js'

/**
 * Examines a broker.
 *
 * @param name What the broker is called in the titles.
 * @param make Gives a broker on an empty store of its own, made with the settings it is given. The exam closes it.
 * @param capabilities What it can't do, and how its store is shared.
 */
export function testBroker(name: string, make: MakeBroker, capabilities: Capabilities = {}): void {
  const exam = new Exam(name, make, capabilities)
  sending(exam)
  consuming(exam)
  settling(exam)
  deadLetters(exam)
  sharing(exam)
  ending(exam)
  failing(exam)
  durations(exam)
}
