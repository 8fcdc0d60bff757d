/** The state as the changes read and write it, within a transaction. */
import { applyChanges, type Refusal, refusalOf, type StateChange, type StateTable } from '../../lib/state/changes.js'
import type { Statements } from './statements.js'

/** What never expires has this time, so that one comparison serves all rows. */
const never = Number.MAX_SAFE_INTEGER

class Table implements StateTable {
  readonly #statements: Statements
  readonly #now: number

  constructor(statements: Statements, now: number) {
    this.#statements = statements
    this.#now = now
  }

  get(key: string): string | undefined {
    return (this.#statements.getState.get(key, this.#now) as { value: string } | undefined)?.value
  }

  put(key: string, value: string, ttl: number | undefined): void {
    this.#statements.putState.run(key, value, this.#expiry(ttl))
  }

  delete(key: string): void {
    this.#statements.removeState.run(key)
    if (this.#statements.removeSet.run(key).changes) this.#statements.removeMembers.run(key)
  }

  size(key: string): number {
    return (this.#statements.sizeOfSet.get(key, this.#now) as { size: number } | undefined)?.size ?? 0
  }

  isMember(key: string, member: string): boolean {
    return this.size(key) > 0 && this.#statements.hasMember.get(key, member) !== undefined
  }

  add(key: string, member: string, ttl: number | undefined): void {
    // An expired set that wasn't purged yet must not come back.
    if (this.size(key) === 0) this.delete(key)
    const added = Number(this.#statements.addMember.run(key, member).changes)
    this.#statements.putSet.run(key, this.#expiry(ttl), added)
  }

  remove(key: string, member: string): void {
    if (Number(this.#statements.removeMember.run(key, member).changes) === 0) return
    if (this.size(key) <= 1) this.#statements.removeSet.run(key)
    else this.#statements.shrinkSet.run(key)
  }

  #expiry(ttl: number | undefined): number {
    return ttl === undefined ? never : this.#now + Math.max(1, Math.ceil(ttl))
  }
}

/** Why changes can't be made at the moment. */
export function refusalOfChanges(statements: Statements, changes: readonly StateChange[]): Refusal | undefined {
  return refusalOf(new Table(statements, Date.now()), changes)
}

/** Makes changes in the caller's transaction: all, or none if one of them is refused. */
export function changeState(statements: Statements, changes: readonly StateChange[]): Refusal | undefined {
  if (changes.length === 0) return undefined
  const refusal = applyChanges(new Table(statements, Date.now()), changes)
  if (refusal) return refusal
  for (const change of changes) if ('listed' in change && change.listed) statements.listState.run(change.key)
  return undefined
}
