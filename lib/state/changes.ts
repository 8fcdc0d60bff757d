/** The changes of a state: each is conditional, and several are made in one step, all of them or none. */

/** Common to all changes. */
interface ChangeOf<Kind extends string> {
  readonly kind: Kind
  /** The key. A step must not change a key twice, except to add members to a set, or remove them, without conditions. */
  readonly key: string
  /**
   * Whether the key is used as it is, in a store that prefixes keys: for the barriers that Dramatiq knows.
   * @default false
   */
  readonly raw?: boolean | undefined
  /** Whether to notify the watchers of the key. Leave it out where nothing is ever watched: it costs a command. */
  readonly notify?: boolean | undefined
}

/** Compares a value and sets or deletes it. */
export interface SetChange extends ChangeOf<'set'> {
  /** The new value; `null` deletes the key. */
  readonly value: string | null
  /** The value it must have; `null` for none. @default any */
  readonly expected?: string | null | undefined
  /** How long it is kept, in milliseconds. @default for ever */
  readonly ttl?: number | undefined
  /** Whether `list` shall find the key. */
  readonly listed?: boolean | undefined
}

/** Adds a member to a set. A set without members doesn't exist. */
export interface AddChange extends ChangeOf<'add'> {
  readonly member: string
  /** How long the set is kept from now on, in milliseconds. @default for ever */
  readonly ttl?: number | undefined
  /** Refused if the member is in the set. Otherwise adding it again does nothing. @default false */
  readonly once?: boolean | undefined
  /** Refused if a new member would give the set that many members or more. @default no limit */
  readonly below?: number | undefined
}

/** Removes a member from a set, if it is in it. */
export interface RemoveChange extends ChangeOf<'remove'> {
  readonly member: string
}

/** Changes a counter within bounds. Its value reads as a decimal; a missing one counts as 0. */
export interface CountChange extends ChangeOf<'count'> {
  /** A whole number, negative to lower it. */
  readonly by: number
  /** Refused if the result would be less. */
  readonly least?: number | undefined
  /** Refused if the result would be more. */
  readonly most?: number | undefined
  /** How long it is kept from now on, in milliseconds. @default for ever */
  readonly ttl?: number | undefined
  /** Whether `list` shall find the key. */
  readonly listed?: boolean | undefined
}

/** A change of the state. */
export type StateChange = SetChange | AddChange | RemoveChange | CountChange

/** Why a step changed nothing: the first change that was refused, and what it found. */
export interface Refusal {
  /** Its place among the changes of the step. */
  readonly index: number
  /** The value under its key; `undefined` if there is none, or if it is a set. */
  readonly value: string | undefined
  /** The size of its set. */
  readonly size: number
  /** Whether the member is in the set. */
  readonly isMember: boolean
}

/** Of a message that was to replace another one: that one doesn't wait any more. */
export const nothingToReplace: Refusal = { index: -1, value: undefined, size: 0, isMember: false }

/** A store of state whose operations are synchronous, within a transaction. Expired keys are absent. */
export interface StateTable {
  get(key: string): string | undefined
  put(key: string, value: string, ttl: number | undefined): void
  delete(key: string): void
  size(key: string): number
  isMember(key: string, member: string): boolean
  add(key: string, member: string, ttl: number | undefined): void
  remove(key: string, member: string): void
}

/** Makes changes in such a store: checks all conditions first, so that a refused step has changed nothing. */
export function applyChanges(table: StateTable, changes: readonly StateChange[]): Refusal | undefined {
  const refusal = refusalOf(table, changes)
  if (!refusal) for (const change of changes) make(table, change)
  return refusal
}

/** Why the changes can't be made. */
export function refusalOf(table: StateTable, changes: readonly StateChange[]): Refusal | undefined {
  for (const [index, change] of changes.entries()) {
    const refusal = check(table, change, index)
    if (refusal) return refusal
  }
  return undefined
}

function check(table: StateTable, change: StateChange, index: number): Refusal | undefined {
  const { kind, key } = change
  if (kind === 'remove') return undefined
  if (kind === 'add') {
    if (!change.once && change.below === undefined) return undefined
    const isMember = table.isMember(key, change.member)
    const size = table.size(key)
    const isFull = !isMember && change.below !== undefined && size + 1 >= change.below
    return (isMember && change.once) || isFull ? { index, value: undefined, size, isMember } : undefined
  }
  if (kind === 'set' && change.expected === undefined) return undefined
  const value = table.get(key)
  const allowed =
    kind === 'set' ? (value ?? null) === change.expected : isWithin(change, Number(value ?? 0) + change.by)
  return allowed ? undefined : { index, value, size: 0, isMember: false }
}

function isWithin({ least, most }: CountChange, result: number): boolean {
  return (least === undefined || result >= least) && (most === undefined || result <= most)
}

function make(table: StateTable, change: StateChange): void {
  const { kind, key } = change
  if (kind === 'add') table.add(key, change.member, change.ttl)
  else if (kind === 'remove') table.remove(key, change.member)
  else if (kind === 'count') table.put(key, String(Number(table.get(key) ?? 0) + change.by), change.ttl)
  else if (change.value === null) table.delete(key)
  else table.put(key, change.value, change.ttl)
}
