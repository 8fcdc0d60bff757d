/**
 * A member of a group has ended. That is counted in the step that settles its message, by a set of members: however often
 * a message is delivered, its end counts once. The end that would complete the set is refused, and comes back with what
 * follows the group; so that is sent once, in the step that settles the last member.
 */
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import type { StateBackend } from '../state/backend.js'
import type { Refusal, StateChange } from '../state/changes.js'
import type { SettlementPart } from '../state/steps.js'
import { barrierTtl, type GroupOutcome, type GroupRecord, groupKeys, groupTtl } from './group-record.js'
import { type Membership, startMessages } from './place.js'

/** How a member has ended. */
export interface MemberEnd {
  readonly membership: Membership
  readonly failed: boolean
  readonly result: unknown
  /** In milliseconds since the epoch. */
  readonly at: number
}

/** The part of a settlement that counts the end of a member. */
export function arrive(end: MemberEnd, state: StateBackend): SettlementPart {
  const { membership, failed } = end
  const { id, size, barrier } = membership
  const changes = [ended(end, groupTtl.open, size), ...traces(end, groupTtl.open)]
  if (barrier) changes.push(failed && barrier === 'successes' ? leaveBarrier(id) : lowerBarrier(id))
  if (failed && membership.cancel_others) changes.push(...cancelOthers(id))
  return {
    changes,
    async refused({ index, isMember }) {
      const { kind } = changes[index] as StateChange
      if (kind === 'add' && isMember) return isLast(end, state)
      return complete(end, state)
    },
  }
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
  return { kind: 'count', key, raw: true, by: -1, least: 1, ttl: barrierTtl }
}

/** Leaves it as it is, so that nobody after this member finds 1 there. */
function leaveBarrier(key: string): StateChange {
  return { kind: 'count', key, raw: true, by: 0, least: 2, ttl: barrierTtl }
}

/** Cancels every message of the group that hasn't ended. */
function cancelOthers(id: string): StateChange[] {
  const reason = 'another member of its group failed'
  return [
    { kind: 'set', key: `cancel:${id}`, value: JSON.stringify({ reason }), ttl: groupTtl.open },
    { kind: 'add', key: 'cancellations', member: id, notify: true, ttl: groupTtl.open },
  ]
}

function allowOthers(id: string): StateChange[] {
  return [
    { kind: 'set', key: `cancel:${id}`, value: null },
    { kind: 'remove', key: 'cancellations', member: id },
  ]
}

/**
 * An end that was counted before. Where queues and state are in separate stores, the worker may have died before it sent
 * what follows: then that is sent again.
 */
async function isLast(end: MemberEnd, state: StateBackend): Promise<SettlementPart | undefined> {
  const { id, member } = end.membership
  const [text] = await state.read([groupKeys.outcome(id)])
  const outcome = text === undefined ? undefined : (JSON.parse(text) as GroupOutcome)
  if (outcome?.by !== member || outcome.state === 'expired') return undefined
  const [part] = await complete(end, state)
  return part?.sends ? { changes: [], sends: part.sends } : undefined
}

/** The last member has ended: what follows the group, and its end as a member of another one. */
async function complete(end: MemberEnd, state: StateBackend): Promise<readonly SettlementPart[]> {
  const { membership } = end
  const { id, member } = membership
  const [text] = await state.read([groupKeys.record(id)])
  if (text === undefined) {
    getLogger().warn({ group: id }, 'A group is no longer known: what follows it is not sent')
    return [{ changes: [ended(end, groupTtl.ended)] }]
  }
  const record = JSON.parse(text) as GroupRecord
  const before = await state.readSet(groupKeys.failed(id))
  const failed = new Set(end.failed ? [...before, `${member}`] : before).size
  const succeeded = failed === 0 || record.on_child_failure === 'continue'
  const results = record.collect && succeeded ? await collect(end, record, state) : undefined
  const outcome = outcomeOf(succeeded ? 'completed' : 'failed', failed, end.at, member)
  const changes = [
    ended(end, groupTtl.ended),
    setOutcome(id, outcome),
    { kind: 'set', key: groupKeys.record(id), value: text, ttl: groupTtl.ended } as const,
    ...traces(end, groupTtl.ended),
    ...(membership.cancel_others ? allowOthers(id) : []),
    ...(succeeded ? recordsOf(record.next) : []),
  ]
  const part: SettlementPart = {
    changes,
    sends: following(record, succeeded, results),
    refused: (refusal) => onCompleteRefused(refusal, end),
  }
  const { parent, next } = record
  if (!parent || (succeeded && next)) return [part]
  return [part, arrive({ membership: parent, failed: !succeeded, result: results, at: end.at }, state)]
}

/** The message was delivered twice, or the deadline of the group has passed: then only its end is counted. */
function onCompleteRefused({ isMember }: Refusal, end: MemberEnd): SettlementPart | undefined {
  return isMember ? undefined : { changes: [ended(end, groupTtl.ended)] }
}

/** The messages that follow a group. */
export function following(
  { callbacks, on_failure: onFailure, next }: GroupRecord,
  succeeded: boolean,
  results: readonly unknown[] | undefined,
): { message: Message; delay?: number | undefined; stored?: boolean }[] {
  if (!succeeded) return onFailure ? [{ message: Message.fromWire(onFailure) }] : []
  const after = next ? startMessages(next, { result: results ?? [] }).map((entry) => ({ ...entry, stored: true })) : []
  return [...callbacks.map((wire) => ({ message: Message.fromWire(wire) })), ...after]
}

/** The records of the groups that follow. */
export function recordsOf(next: GroupRecord['next']): StateChange[] {
  return (next?.records ?? []).map(([key, value]) => ({ kind: 'set', key, value, ttl: groupTtl.open }))
}

export function outcomeOf(state: GroupOutcome['state'], failed: number, at: number, by?: number): GroupOutcome {
  return { state, failed, at, by }
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
