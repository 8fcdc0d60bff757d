/**
 * Watches keys of the state. Changes of this process notify directly. When another process has committed, one query
 * compares what is watched with what it was.
 */
import type { StateWatchOptions } from '../../lib/state/backend.js'
import type { StateChange } from '../../lib/state/changes.js'
import type { ChangeWatcher } from './connection/change-watcher.js'
import type { Statements } from './statements.js'

interface Watch {
  readonly listeners: Set<() => void>
  /** The value, or the size and the expiry of the set, at the last look, or `undefined` before the first. */
  seen: string | undefined
}

interface Row {
  readonly key: string
  readonly value: string | null
  readonly size: number | null
  readonly expiry: number | null
}

/** The connection, as far as it is needed here. */
interface Source {
  readonly watcher: ChangeWatcher
  read<T>(run: (statements: Statements) => T): Promise<T>
}

/** From this latency on a watch costs next to nothing, in milliseconds. */
const patientLatency = 100

export class StateWatches {
  readonly #connection: Source
  readonly #watches = new Map<string, Watch>()
  #scheduled = false

  constructor(connection: Source) {
    this.#connection = connection
  }

  watch(key: string, listener: () => void, { latency = 0 }: StateWatchOptions = {}): () => void {
    const watch = this.#watches.get(key) ?? { listeners: new Set(), seen: undefined }
    this.#watches.set(key, watch)
    const own = (): void => listener()
    watch.listeners.add(own)
    const stop = this.#connection.watcher.watchOthers(() => this.#schedule(), { patient: latency >= patientLatency })
    // Its first look is also the first call.
    watch.seen = undefined
    this.#schedule()
    return () => {
      watch.listeners.delete(own)
      if (watch.listeners.size === 0 && this.#watches.get(key) === watch) this.#watches.delete(key)
      stop()
    }
  }

  /** Call it when this process has made changes. */
  changed(changes: readonly StateChange[]): void {
    if (this.#watches.size === 0) return
    for (const { key, notify } of changes) if (notify) this.#notify(key)
  }

  #notify(key: string): void {
    for (const listener of [...(this.#watches.get(key)?.listeners ?? [])]) queueMicrotask(listener)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#watches.size > 0) void this.#compare()
    })
  }

  async #compare(): Promise<void> {
    const keys = JSON.stringify([...this.#watches.keys()])
    const rows = await this.#connection
      .read(({ watchedState }) => watchedState.all(keys) as Row[])
      .catch(() => undefined)
    // It can't be read now: the listeners will see for themselves.
    if (!rows) for (const key of this.#watches.keys()) this.#notify(key)
    for (const { key, value, size, expiry } of rows ?? []) {
      const watch = this.#watches.get(key)
      const now = JSON.stringify([value, size, expiry])
      if (!watch || watch.seen === now) continue
      watch.seen = now
      this.#notify(key)
    }
  }
}
