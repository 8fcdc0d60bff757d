/**
 * Settles a message whose plugins also change the state. Where queues and state are in one store, that is one step.
 * Elsewhere the state is changed first: a crash in between makes the message run again, and loses nothing.
 */
import type { DeadLetterReason } from '../../consumer.js'
import { BrokerError } from '../../errors.js'
import type { Entry, Outcome } from '../../outcome.js'
import type { Settlement } from '../../settlement.js'
import type { Refusal } from '../../state/changes.js'
import { conditionalPart } from '../../state/conditional-sends.js'
import { SettlementStep } from '../../state/steps.js'
import type { UnsettledDelivery } from './unsettled-delivery.js'

export interface SettlementWithState {
  readonly sends: readonly Entry[]
  readonly copy: Entry | undefined
  readonly settlement: Settlement
  /** To dead-letter the message. */
  readonly letter: DeadLetterReason | undefined
  /** Calls the hooks of sending, and leaves out what can't be stored. */
  readonly settleWithSends: <T>(
    unsettled: UnsettledDelivery,
    outcome: Pick<Outcome, 'sends' | 'copy'>,
    settleWith: (entries: readonly Entry[]) => Promise<T>,
  ) => Promise<T>
}

/** How often a refused step is tried again, before something must be wrong. */
const maxAttempts = 100

export async function settleWithState(
  unsettled: UnsettledDelivery,
  { sends, copy, settlement, letter, settleWithSends }: SettlementWithState,
): Promise<void> {
  const { broker, message } = unsettled
  const others = sends.filter((entry) => entry !== copy)
  const step = new SettlementStep(copy, others, (entry) => conditionalPart(entry, broker))
  await broker.chain.emit('beforeStoreSettlement', message, settlement, step, broker)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const { entries } = step
    const attemptOne = (stored: readonly Entry[]): Promise<Refusal | undefined> =>
      tryOnce(unsettled, step, stored, letter)
    const refusal =
      entries.length === 0
        ? await attemptOne(entries)
        : await settleWithSends(unsettled, { sends: entries, copy: step.copy }, attemptOne)
    if (!refusal) return
    await step.amend(refusal)
  }
  throw new BrokerError('The message could not be settled: the conditions of its plugins keep changing.')
}

async function tryOnce(
  unsettled: UnsettledDelivery,
  step: SettlementStep,
  sends: readonly Entry[],
  letter: DeadLetterReason | undefined,
): Promise<Refusal | undefined> {
  const { broker, consumer, delivery } = unsettled
  // What is recorded of other messages comes last: a refusal is then always about a change of a part.
  const others = sends.filter((entry) => entry !== step.copy)
  const changes = [...step.changes, ...others.flatMap((entry) => broker.recordsOf(entry))]
  if (changes.length > 0) {
    if (broker.hasOwnState && consumer.settleWith) return consumer.settleWith(delivery, { letter, sends, changes })
    const refusal = await broker.stateFor('What plugins do with this message').apply(changes)
    if (refusal) return refusal
  }
  if (letter) await consumer.deadLetter(delivery, letter, sends)
  else await consumer.ack(delivery, sends)
  return undefined
}
