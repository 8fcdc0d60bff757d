/** Results in the same file as the messages. A wait ends as soon as this process, or another one, has stored the result. */
import { refuseUnknown } from '../../lib/checks.js'
import { ResultBackend, type ResultBackendOptions, type StoredResult } from '../../lib/results/backend.js'
import type { Connection } from './connection/connection.js'
import { openConnection, type SQLiteFileOptions } from './connection/file-options.js'
import { type Found, KeyWaits } from './key-waits.js'

export interface SQLiteResultsOptions extends ResultBackendOptions, SQLiteFileOptions {}

interface Row {
  readonly key: string
  readonly value: string
  readonly traceback: string | null
}

/**
 * Keeps results in a SQLite file, by default the broker's own (`./dramatis.db`).
 * @throws {DependencyMissing} if this Node has no SQLite (22.13 and later have) and neither `better-sqlite3` nor
 * `libsql` is installed.
 */
export class SQLiteResults extends ResultBackend {
  readonly #connection: Connection
  readonly #waits: KeyWaits<StoredResult>
  #closed = false

  constructor(options: SQLiteResultsOptions = {}) {
    refuseUnknown(options, ['namespace', 'path', 'synchronous'], 'SQLiteResults')
    super(options)
    this.#connection = openConnection(options)
    this.#waits = new KeyWaits(this.#connection, (statements, keys) =>
      (statements.getResults.all(keys, Date.now()) as Row[]).map(found),
    )
  }

  protected override async put(key: string, stored: StoredResult, ttl: number): Promise<void> {
    const { value, traceback = null } = stored
    const expiry = Date.now() + ttl
    await this.#connection.write((statements) => void statements.putResult.run(key, value, traceback, expiry), {
      lockTimeout: 5000,
    })
    this.#waits.resolveWaiters(key, stored)
  }

  protected override async peek(key: string): Promise<StoredResult | undefined> {
    const row = await this.#connection.read(
      (statements) => statements.getResult.get(key, Date.now()) as Row | undefined,
    )
    return row && found(row).value
  }

  protected override wait(key: string, timeout: number): Promise<StoredResult | undefined> {
    return this.#waits.wait(key, timeout)
  }

  protected override async remove(key: string): Promise<void> {
    await this.#connection.write((statements) => void statements.removeResult.run(key), { lockTimeout: 5000 })
  }

  override check(timeout: number): Promise<void> {
    return this.#connection.check(timeout)
  }

  override async close(timeout?: number): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#waits.close()
    await this.#connection.release(timeout)
  }
}

function found({ key, value, traceback }: Row): Found<StoredResult> {
  return { key, value: { value, traceback: traceback ?? undefined } }
}
