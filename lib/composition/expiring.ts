/** The deadline of a group: a delayed message, which runs if the group hasn't ended by then. */
import type { Broker } from '../broker.js'
import { join } from '../state/steps.js'
import { endOfGroup, setOutcome } from './arriving.js'
import { endOutside } from './end-outside.js'
import { type GroupOutcome, type GroupRecord, groupKeys } from './group-record.js'

/** Ends a group as expired, unless it has ended. Returns how it has ended. */
export async function expire(id: string, messageId: string, broker: Broker): Promise<GroupOutcome['state']> {
  const state = broker.stateFor('A group')
  const [text] = await state.read([groupKeys.record(id)])
  const failed = await state.size(groupKeys.failed(id))
  let outcome: GroupOutcome = { state: 'expired', failed, at: broker.clock.now() }
  const first = {
    changes: [setOutcome(id, outcome)],
    refused({ value }: { readonly value: string | undefined }) {
      outcome = JSON.parse(value as string) as GroupOutcome
      return undefined
    },
  }
  const record = text === undefined ? undefined : (JSON.parse(text) as GroupRecord)
  await endOutside(broker, join([first, ...(record ? endOfGroup(messageId, record, false, broker) : [])]))
  return outcome.state
}
