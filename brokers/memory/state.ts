/** State in the memory of this process. */

import { BrokerClosed } from '../../lib/errors.js'
import type { StateBackend, StatePage, StatePageOptions } from '../../lib/state/backend.js'
import { applyChanges, type Refusal, refusalOf, type StateChange, type StateTable } from '../../lib/state/changes.js'
import type { Clock } from '../../lib/time.js'

interface Kept {
  readonly value: string | undefined
  readonly members: Set<string> | undefined
  readonly listed: boolean
  /** When it expires, in milliseconds since the epoch. */
  ends: number
}

/** Expired keys are removed when there are this many keys, and then whenever their number has doubled. */
const firstSweep = 1000

/** Keeps state in the memory of this process. The MemoryBroker has one; create one for another broker in a test. */
export class MemoryState implements StateBackend {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  readonly #watchers = new Map<string, Set<() => void>>()
  #sweepAt = firstSweep
  #closed = false

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock
  }

  async read(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    this.#assertOpen()
    return keys.map((key) => this.#get(key)?.value)
  }

  async readSet(key: string, among?: readonly string[]): Promise<readonly string[]> {
    this.#assertOpen()
    const { members } = this.#get(key) ?? {}
    return among ? among.filter((member) => members?.has(member)) : [...(members ?? [])]
  }

  async size(key: string): Promise<number> {
    this.#assertOpen()
    return this.#table.size(key)
  }

  /** Whether there is something under a key. */
  has(key: string): boolean {
    return this.#get(key) !== undefined
  }

  async apply(changes: readonly StateChange[]): Promise<Refusal | undefined> {
    this.#assertOpen()
    return this.applyNow(changes)
  }

  /** Why the changes would be refused at the moment. */
  refusal(changes: readonly StateChange[]): Refusal | undefined {
    return refusalOf(this.#table, changes)
  }

  /** The same within one turn of the event loop, for the broker's own steps. */
  applyNow(changes: readonly StateChange[]): Refusal | undefined {
    const refusal = applyChanges(this.#table, changes)
    if (refusal) return refusal
    for (const change of changes) {
      if ('listed' in change && change.listed) this.#list(change.key)
      if (change.notify) this.#notify(change.key)
    }
    this.#sweep()
    return undefined
  }

  async list(prefix: string, options: StatePageOptions = {}): Promise<StatePage> {
    this.#assertOpen()
    const { cursor = '', limit = 100 } = options
    const keys = [...this.#kept.keys()].filter((key) => key.startsWith(prefix) && key > cursor).sort()
    const entries: { key: string; value: string }[] = []
    for (const key of keys) {
      const kept = this.#get(key)
      if (!kept?.listed || kept.value === undefined) continue
      if (entries.length === limit) return { entries, cursor: entries.at(-1)?.key }
      entries.push({ key, value: kept.value })
    }
    return { entries }
  }

  watch(key: string, listener: () => void): () => void {
    const listeners = this.#watchers.get(key) ?? new Set()
    this.#watchers.set(key, listeners)
    // Its own function, so that the same listener can watch twice.
    const own = (): void => listener()
    listeners.add(own)
    queueMicrotask(() => {
      if (listeners.has(own)) own()
    })
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#watchers.get(key) === listeners) this.#watchers.delete(key)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const listeners of this.#watchers.values()) {
      for (const listener of listeners) listener()
      listeners.clear()
    }
    this.#watchers.clear()
    this.#kept.clear()
  }

  #assertOpen(): void {
    if (this.#closed) throw new BrokerClosed()
  }

  #get(key: string): Kept | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.ends > this.#clock.now() ? kept : undefined
  }

  #endAfter(ttl: number | undefined): number {
    return ttl === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() + ttl
  }

  readonly #table: StateTable = {
    get: (key) => this.#get(key)?.value,
    put: (key, value, ttl) => {
      const listed = this.#get(key)?.listed ?? false
      this.#kept.set(key, { value, members: undefined, listed, ends: this.#endAfter(ttl) })
    },
    delete: (key) => void this.#kept.delete(key),
    size: (key) => this.#get(key)?.members?.size ?? 0,
    isMember: (key, member) => this.#get(key)?.members?.has(member) ?? false,
    add: (key, member, ttl) => {
      const members = this.#get(key)?.members ?? new Set()
      this.#kept.set(key, { value: undefined, members: members.add(member), listed: false, ends: this.#endAfter(ttl) })
    },
    remove: (key, member) => {
      const members = this.#get(key)?.members
      if (members?.delete(member) && members.size === 0) this.#kept.delete(key)
    },
  }

  #list(key: string): void {
    const kept = this.#kept.get(key)
    if (kept) this.#kept.set(key, { ...kept, listed: true })
  }

  #notify(key: string): void {
    for (const listener of [...(this.#watchers.get(key) ?? [])]) queueMicrotask(listener)
  }

  #sweep(): void {
    if (this.#kept.size < this.#sweepAt) return
    const now = this.#clock.now()
    for (const [key, { ends }] of this.#kept) if (ends <= now) this.#kept.delete(key)
    this.#sweepAt = Math.max(firstSweep, 2 * this.#kept.size)
  }
}
