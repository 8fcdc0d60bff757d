/** The deadline of a group: a delayed message, which runs if the group hasn't ended by then. */
import { SkipMessage } from '../errors.js'
import type { StateBackend } from '../state/backend.js'
import { outcomeOf, setOutcome } from './arriving.js'
import { type GroupOutcome, groupKeys } from './group-record.js'

/**
 * Ends a group as expired, before the message of its deadline runs.
 * @throws {SkipMessage} if it has ended.
 */
export async function expire(id: string, state: StateBackend, now: number): Promise<void> {
  const failed = await state.size(groupKeys.failed(id))
  const refusal = await state.apply([setOutcome(id, outcomeOf('expired', failed, now))])
  if (!refusal) return
  const outcome = JSON.parse(refusal.value as string) as GroupOutcome
  // Its own first delivery has ended the group.
  if (outcome.state !== 'expired') throw new SkipMessage('The group has ended before its deadline.')
}
