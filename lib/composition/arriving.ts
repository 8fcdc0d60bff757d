/**
 * A member of a group has ended. That is counted in the step that settles its message, by a set of members: however often
 * a message is delivered, its end counts once. The end that would complete the set is refused, and comes back with what
 * follows the group; so that is sent once, in the step that settles the last member.
 */
import type { Broker } from '../broker.js'
import { markChanges, unmarkChanges } from '../cancellation/marks.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import type { Entry } from '../outcome.js'
import type { StateBackend } from '../state/backend.js'
import type { StateChange } from '../state/changes.js'
import { join, type SettlementPart } from '../state/steps.js'
import type { Survivor } from '../state/survivor.js'
import { type GroupOutcome, type GroupRecord, groupKeys, groupTtl, openRecords, setRecord } from './group-record.js'
import { type Membership, membershipOf, startMessages } from './place.js'

/** How a member has ended. */
export interface MemberEnd {
  readonly membership: Membership
  /** The message with which it ended. */
  readonly messageId: string
  readonly failed: boolean
  readonly result?: unknown
}

/** The part of a settlement that counts the end of a member. */
export function arrive(end: MemberEnd, broker: Broker): SettlementPart {
  const { membership, failed } = end
  const { id, size, barrier } = membership
  const changes = [ended(end, groupTtl.open, size), ...traces(end, groupTtl.open)]
  if (barrier) changes.push(failed && barrier === 'successes' ? leaveBarrier(id) : lowerBarrier(id))
  if (failed && membership.cancel_others)
    changes.push(...markChanges([id], { reason: 'another member of its group failed' }, groupTtl.open))
  return {
    changes,
    // It has been counted before, or it is the last one.
    refused: ({ isMember }) => (isMember ? undefined : complete(end, broker)),
  }
}

/** The end of a member that was not stored, since its send stands for another message. */
export function endOfDeduplicated(
  message: Message,
  { hasPlace }: Survivor,
  broker: Broker,
): SettlementPart | undefined {
  const membership = hasPlace ? undefined : membershipOf(message)
  return membership && arrive({ membership, messageId: message.messageId, failed: false }, broker)
}

function ended({ membership: { id, member } }: MemberEnd, ttl: number, below?: number): StateChange {
  return { kind: 'add', key: groupKeys.ended(id), member: `${member}`, once: true, below, ttl }
}

/** What is kept of a member beside its end. */
function traces({ membership: { id, member, collect }, failed, result }: MemberEnd, ttl: number): StateChange[] {
  const changes: StateChange[] = []
  if (failed) changes.push({ kind: 'add', key: groupKeys.failed(id), member: `${member}`, ttl })
  if (collect) {
    const value = JSON.stringify(failed ? null : (result ?? null))
    changes.push({ kind: 'set', key: groupKeys.result(id, member), value, ttl })
  }
  return changes
}

/** Dramatiq's barrier, which is never lowered below 1: whoever finds it there is the last. */
export function lowerBarrier(key: string): StateChange {
  return { kind: 'count', key, raw: true, by: -1, least: 1, ttl: groupTtl.open }
}

/** Leaves it as it is, so that nobody after this member finds 1 there. */
function leaveBarrier(key: string): StateChange {
  return { kind: 'count', key, raw: true, by: 0, least: 2, ttl: groupTtl.open }
}

/** The last member has ended: what follows the group, and its end as a member of another one. */
async function complete(end: MemberEnd, broker: Broker): Promise<SettlementPart> {
  const { membership } = end
  const { id } = membership
  const { record, outcome } = await readGroup(end, broker)
  // Its deadline has passed, and what that means was done then.
  if (outcome) return { changes: [ended(end, groupTtl.ended)] }
  if (!record) {
    getLogger().warn({ group: id }, 'A group is no longer known: what follows it is not sent')
    return { changes: [ended(end, groupTtl.ended)] }
  }
  const { succeeded, results, sends, state, failed } = await endOf(end, record, broker)
  const now = broker.clock.now()
  const changes = [
    ended(end, groupTtl.ended),
    setOutcome(id, { state, failed, at: now, by: end.messageId }),
    setRecord(id, record, groupTtl.ended),
    ...traces(end, groupTtl.ended),
    ...(membership.cancel_others ? unmarkChanges(id) : []),
    ...(succeeded ? openRecords(record.next?.records ?? [], now) : []),
  ]
  const part: SettlementPart = {
    changes,
    sends,
    // Delivered twice, or expired at this moment.
    refused: ({ isMember }) => (isMember ? undefined : complete(end, broker)),
  }
  return succeeded && record.next
    ? part
    : join([part, ...endOfGroup(end.messageId, record, succeeded, broker, results)])
}

/** The end of a group as a member of the one around it. */
export function endOfGroup(
  messageId: string,
  { parent }: GroupRecord,
  succeeded: boolean,
  broker: Broker,
  result?: unknown,
): SettlementPart[] {
  return parent ? [arrive({ membership: parent, messageId, failed: !succeeded, result }, broker)] : []
}

interface Group {
  readonly record: GroupRecord | undefined
  readonly outcome: GroupOutcome | undefined
}

async function readGroup({ membership: { id } }: MemberEnd, broker: Broker): Promise<Group> {
  const state = broker.stateFor('A group')
  const [text = 'null', outcome = 'null'] = await state.read([groupKeys.record(id), groupKeys.outcome(id)])
  return { record: JSON.parse(text) ?? undefined, outcome: JSON.parse(outcome) ?? undefined }
}

interface GroupEnding extends Pick<GroupOutcome, 'state' | 'failed'> {
  readonly succeeded: boolean
  readonly results: readonly unknown[] | undefined
  readonly sends: readonly Entry[]
}

/** What the end of the last member means. */
async function endOf(end: MemberEnd, record: GroupRecord, broker: Broker): Promise<GroupEnding> {
  const { id, member } = end.membership
  const state = broker.stateFor('A group')
  const before = await state.readSet(groupKeys.failed(id))
  const failed = new Set(end.failed ? [...before, `${member}`] : before).size
  // The message of the deadline then sends what follows.
  if (record.ends_at !== undefined && record.ends_at <= broker.clock.now())
    return { state: 'expired', failed, succeeded: false, results: undefined, sends: [] }
  const succeeded = failed === 0 || record.on_child_failure === 'continue'
  const results = record.collect && succeeded ? await collect(end, record, state) : undefined
  return {
    state: succeeded ? 'completed' : 'failed',
    failed,
    succeeded,
    results,
    sends: following(record, succeeded, results),
  }
}

/** The messages that follow a group. */
export function following(
  { callbacks, on_failure: onFailure, next }: GroupRecord,
  succeeded: boolean,
  results: readonly unknown[] | undefined,
): Entry[] {
  if (!succeeded) return onFailure ? [{ message: Message.fromWire(onFailure) }] : []
  const after = next ? startMessages(next, { result: results ?? [] }).map((entry) => ({ ...entry, stored: true })) : []
  return [...callbacks.map((wire) => ({ message: Message.fromWire(wire) })), ...after]
}

/** Ends a group, unless it has ended. */
export function setOutcome(id: string, outcome: GroupOutcome): StateChange {
  const value = JSON.stringify(outcome)
  return { kind: 'set', key: groupKeys.outcome(id), expected: null, value, notify: true, ttl: groupTtl.ended }
}

/** How many results are read at once. */
const pageSize = 1000

/** The results of all members, in order; `null` for those that have none. */
async function collect(
  { membership: { id, member }, failed, result }: MemberEnd,
  { size }: GroupRecord,
  state: StateBackend,
): Promise<readonly unknown[]> {
  const results: unknown[] = []
  for (let first = 0; first < size; first += pageSize) {
    const count = Math.min(pageSize, size - first)
    const keys = Array.from({ length: count }, (_, index) => groupKeys.result(id, first + index))
    for (const text of await state.read(keys)) results.push(text === undefined ? null : JSON.parse(text))
  }
  results[member] = failed ? null : (result ?? null)
  return results
}
