/**
 * The end of a member that no worker of ours settles: it was deduplicated when it was sent, flushed from its queue, or it
 * ran in Python.
 */
import type { Broker } from '../broker.js'
import { BrokerError } from '../errors.js'
import { conditionalPart } from '../state/conditional-sends.js'
import { type SettlementPart, SettlementStep } from '../state/steps.js'

/** How often a refused step is tried again, before something must be wrong. */
const maxAttempts = 100

/** Makes the changes of a part and sends its messages: in one step, where the broker keeps the state itself. */
export async function endOutside(broker: Broker, part: SettlementPart): Promise<void> {
  const step = new SettlementStep(undefined, [], (entry) => conditionalPart(entry, broker))
  step.add(part)
  await storeStep(broker, step)
}

/** Makes the changes and stores the messages of a step that settles no delivery. */
export async function storeStep(broker: Broker, step: SettlementStep): Promise<void> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const refusal = await broker.enqueueWith(step.entries, step.changes)
    if (!refusal) return
    await step.amend(refusal)
  }
  throw new BrokerError('The end of a message could not be stored: the conditions of its plugins keep changing.')
}
