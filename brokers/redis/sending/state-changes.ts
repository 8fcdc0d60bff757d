/** Packs changes of the state for the scripts, and reads why one was refused; see `scripts/_state.lua`. */
import type { Refusal, StateChange } from '../../../lib/state/changes.js'
import type { Keys } from '../keys.js'
import type { Argument } from '../scripts.js'

/** Adds changes to the keys and arguments of a script call. */
export function packChanges(changes: readonly StateChange[], keys: Keys, into: string[], args: Argument[]): void {
  for (const change of changes) {
    const key = change.raw ? keys.barrier(change.key) : keys.state(change.key)
    const listed = 'listed' in change && change.listed ? into.push(keys.listedState) : ''
    args.push(
      change.kind,
      into.push(key),
      ...operandsOf(change),
      ttlOf(change),
      change.notify ? key : '',
      listed,
      change.key,
    )
  }
}

function operandsOf(change: StateChange): [Argument, Argument, Argument] {
  switch (change.kind) {
    case 'set': {
      const { expected, value } = change
      return [expected === undefined ? '' : packValue(expected), packValue(value), '']
    }
    case 'add':
      return [change.member, change.once ? '1' : '', change.below ?? '']
    case 'remove':
      return [change.member, '', '']
    case 'count':
      return [change.by, change.least ?? '', change.most ?? '']
  }
}

function packValue(value: string | null): string {
  return value === null ? '-' : `=${value}`
}

/** A deleted key needs none. Redis refuses a time to live of 0. */
function ttlOf(change: StateChange): Argument {
  if (change.kind === 'remove' || (change.kind === 'set' && change.value === null) || change.ttl === undefined)
    return ''
  return Math.max(1, Math.ceil(change.ttl))
}

/** Why a script changed nothing; `undefined` if it did. */
export function readRefusal(reply: unknown): Refusal | undefined {
  if (!Array.isArray(reply)) return undefined
  const [index, hasValue, value, size, isMember] = reply as [number, number, string, number, number]
  return { index, value: hasValue ? value : undefined, size, isMember: isMember === 1 }
}

/** The same for many messages. */
export function readRefusals(reply: unknown): (Refusal | undefined)[] {
  return (reply as unknown[]).map(readRefusal)
}
