/**
 * Settles a message whose plugins also change the state. Where queues and state are in one store, that is one step; for
 * others see `settle-beside.ts`.
 */
import type { DeadLetterReason } from '../../consumer.js'
import { BrokerError } from '../../errors.js'
import type { Entry, Outcome } from '../../outcome.js'
import type { Settlement } from '../../settlement.js'
import type { Refusal, StateChange } from '../../state/changes.js'
import { conditionalPart } from '../../state/conditional-sends.js'
import { SettlementStep } from '../../state/steps.js'
import { SettlementBeside, settleOnQueue } from './settle-beside.js'
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
  const chain = broker.chain.forMessage(message, broker.actors.get(message.actorName))
  await chain.emit('beforeStoreSettlement', message, settlement, step, broker)
  const settleStep = stepSettler(unsettled)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const { entries } = step
    const attemptOne = (stored: readonly Entry[]): Promise<Refusal | undefined> =>
      settleStep(changesOf(unsettled, step, stored), stored, letter)
    const refusal =
      entries.length === 0
        ? await attemptOne(entries)
        : await settleWithSends(unsettled, { sends: entries, copy: step.copy }, attemptOne)
    if (!refusal) return
    await unsettled.consumer.untilSettled(() => step.amend(refusal))
  }
  throw new BrokerError('The message could not be settled: the conditions of its plugins keep changing.')
}

type SettleStep = (
  changes: readonly StateChange[],
  sends: readonly Entry[],
  letter: DeadLetterReason | undefined,
) => Promise<Refusal | undefined>

/** How a step is settled: it returns what was refused, if nothing was done. */
function stepSettler(unsettled: UnsettledDelivery): SettleStep {
  const { broker, consumer, delivery } = unsettled
  let beside: SettlementBeside | undefined
  return async (changes, sends, letter) => {
    if (changes.length === 0) return void (await settleOnQueue(unsettled, sends, letter))
    if (broker.hasOwnState && consumer.settleWith) return consumer.settleWith(delivery, { letter, sends, changes })
    beside ??= new SettlementBeside(unsettled)
    return beside.settle(changes, sends, letter)
  }
}

/** The changes of a step. What is recorded of other messages comes last: a refusal is about a change of a part. */
function changesOf(
  { broker }: UnsettledDelivery,
  step: SettlementStep,
  sends: readonly Entry[],
): readonly StateChange[] {
  const others = sends.filter((entry) => entry !== step.copy)
  return [...step.changes, ...others.flatMap((entry) => broker.recordsOf(entry))]
}
