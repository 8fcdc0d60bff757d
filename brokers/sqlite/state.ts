/** State in the same file as the messages. */
import { refuseUnknown } from '../../lib/checks.js'
import { BrokerClosed } from '../../lib/errors.js'
import type { StateBackend, StatePage, StatePageOptions, StateWatchOptions } from '../../lib/state/backend.js'
import type { Refusal, StateChange } from '../../lib/state/changes.js'
import { OpenWatches } from '../../lib/state/open-watches.js'
import type { Connection } from './connection/connection.js'
import { openConnection, type SQLiteFileOptions } from './connection/file-options.js'
import { changeState } from './state-table.js'

/**
 * Keeps state in a SQLite file, by default the broker's own (`./dramatis.db`).
 * @throws {DependencyMissing} if this Node has no SQLite (22.13 and later have) and neither `better-sqlite3` nor
 * `libsql` is installed.
 */
export class SQLiteState implements StateBackend {
  readonly #connection: Connection
  readonly #watches = new OpenWatches()
  #closed = false

  constructor(options: SQLiteFileOptions = {}) {
    refuseUnknown(options, ['path', 'synchronous'], 'SQLiteState')
    this.#connection = openConnection(options)
  }

  get #open(): Connection {
    if (this.#closed) throw new BrokerClosed()
    return this.#connection
  }

  async read(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const now = Date.now()
    return this.#open.read(({ getState }) =>
      keys.map((key) => (getState.get(key, now) as { value: string } | undefined)?.value),
    )
  }

  async readSet(key: string, among?: readonly string[]): Promise<readonly string[]> {
    const now = Date.now()
    return this.#open.read(({ sizeOfSet, hasMember, members }) => {
      if (!sizeOfSet.get(key, now)) return []
      if (among) return among.filter((member) => hasMember.get(key, member))
      return (members.all(key) as { member: string }[]).map(({ member }) => member)
    })
  }

  async size(key: string): Promise<number> {
    const now = Date.now()
    return this.#open.read(({ sizeOfSet }) => (sizeOfSet.get(key, now) as { size: number } | undefined)?.size ?? 0)
  }

  async apply(
    changes: readonly StateChange[],
    { timeout = 5000 }: { timeout?: number | undefined } = {},
  ): Promise<Refusal | undefined> {
    if (changes.length === 0) return undefined
    const connection = this.#open
    const refusal = await connection.write((statements) => changeState(statements, changes), { lockTimeout: timeout })
    if (!refusal) connection.stateWatches.changed(changes)
    return refusal
  }

  async list(prefix: string, options: StatePageOptions = {}): Promise<StatePage> {
    const { cursor = '', limit = 100 } = options
    type Entry = StatePage['entries'][number]
    const found = await this.#open.read(
      ({ pageOfState }) => pageOfState.all(cursor, prefix, `${prefix}\u{10ffff}`, Date.now(), limit + 1) as Entry[],
    )
    const entries = found.slice(0, limit).map(({ key, value }) => ({ key, value }))
    return { entries, cursor: found.length > limit ? entries.at(-1)?.key : undefined }
  }

  watch(key: string, listener: () => void, options?: StateWatchOptions): () => void {
    return this.#watches.add(this.#open.stateWatches.watch(key, listener, options), listener)
  }

  async close(timeout?: number): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#watches.end()
    await this.#connection.release(timeout)
  }
}
