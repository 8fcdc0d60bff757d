/**
 * The end of a member that no worker of ours settles: it was deduplicated when it was sent, flushed from its queue, or it
 * ran in Python.
 */
import type { Broker } from '../broker.js'
import { BrokerError } from '../errors.js'
import { type SettlementPart, SettlementStep } from '../state/steps.js'

/** How often a refused step is tried again, before something must be wrong. */
const maxAttempts = 100

/** Makes the changes of parts and sends their messages: in one step, where the broker keeps the state itself. */
export async function endOutside(broker: Broker, ...parts: readonly SettlementPart[]): Promise<void> {
  const step = new SettlementStep(undefined, [])
  for (const part of parts) step.add(part)
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const refusal = await broker.enqueueWith(step.entries, step.changes)
    if (!refusal) return
    await step.amend(refusal)
  }
  throw new BrokerError('The end of a message could not be stored: the conditions of its plugins keep changing.')
}
