/** What the state keeps of a group. */
import type { WireMessage } from '../encoder.js'
import { DecodeError } from '../errors.js'
import type { StateChange } from '../state/changes.js'
import type { Membership, Start } from './place.js'

/** What the failure of a member means for its group. */
export type OnChildFailure = 'fail' | 'continue' | 'cancel-others'

/** The group itself, under `group:<id>`. */
export interface GroupRecord {
  readonly size: number
  readonly on_child_failure: OnChildFailure
  /** Sent when the group has completed. */
  readonly callbacks: readonly WireMessage[]
  /** Sent when it has failed. */
  readonly on_failure?: WireMessage | undefined
  /** What follows it in its pipeline, which takes the results of its members. */
  readonly next?: Start | undefined
  /** The group that it is a member of. */
  readonly parent?: Membership | undefined
  /** Whether the results of its members are kept. */
  readonly collect?: boolean | undefined
  /** How long it may take, in milliseconds. */
  readonly deadline?: number | undefined
  /** When that has passed, in milliseconds since the epoch; known once it runs. */
  readonly ends_at?: number | undefined
}

/** How a group has ended, under `group:<id>:outcome`. */
export interface GroupOutcome {
  readonly state: 'completed' | 'failed' | 'expired'
  /** The id of the message that ended last; none for a group that expired or was empty. */
  readonly by?: string | undefined
  /** How many members have failed. */
  readonly failed: number
  /** In milliseconds since the epoch. */
  readonly at: number
}

/** The keys of a group. */
export const groupKeys = {
  record: (id: string) => `group:${id}`,
  ended: (id: string) => `group:${id}:ended`,
  failed: (id: string) => `group:${id}:failed`,
  outcome: (id: string) => `group:${id}:outcome`,
  result: (id: string, member: number) => `group:${id}:result:${member}`,
} as const

/**
 * How long a group is kept while its members run, and after it has ended, in milliseconds. A member may wait for a retry
 * for a week.
 */
export const groupTtl = { open: 30 * 86_400_000, ended: 86_400_000 }

/**
 * Stores the records of groups that run from now on, or after a delay.
 * @param now In milliseconds since the epoch.
 */
export function openRecords(records: Start['records'], now: number, delay = 0): StateChange[] {
  const ttl = groupTtl.open + delay
  return records.map(([id, record]) => setRecord(id, withEnd(record, now + delay), ttl))
}

/** Keeps what is known of a group. */
export function setRecord(id: string, record: GroupRecord, ttl: number): StateChange {
  return { kind: 'set', key: groupKeys.record(id), value: JSON.stringify(record), ttl }
}

function withEnd(record: GroupRecord, at: number): GroupRecord {
  return record.deadline === undefined ? record : { ...record, ends_at: at + record.deadline }
}

/** @throws {DecodeError} for what a foreign producer has malformed. */
export function checkRecord(id: unknown, record: unknown): void {
  const isRecord = typeof id === 'string' && Array.isArray((record as Partial<GroupRecord> | null)?.callbacks)
  if (!isRecord) throw new DecodeError('A record of "pipe_group" is not that of a group.')
}
