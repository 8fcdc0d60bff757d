/** Results in the same file as the messages; those who wait are told at once by this process, within 50 ms by others. */
import { refuseUnknown } from '../../lib/options.js'
import { ResultBackend, type ResultBackendOptions } from '../../lib/results/backend.js'
import type { Connection } from './connection.js'
import { connect, type SQLiteFileOptions } from './file.js'
import { type Found, KeyWaits } from './key-waits.js'

export interface SQLiteResultsOptions extends ResultBackendOptions, SQLiteFileOptions {}

/**
 * Keeps results in a SQLite file, by default the broker's own (`./dramatis.db`).
 * @throws {DependencyMissing} when this Node has no SQLite and `better-sqlite3` isn't installed.
 */
export class SQLiteResults extends ResultBackend {
  readonly #connection: Connection
  readonly #waits: KeyWaits<string>
  #closed = false

  constructor(options: SQLiteResultsOptions = {}) {
    refuseUnknown(options, ['namespace', 'path', 'synchronous'], 'SQLiteResults')
    super(options)
    this.#connection = connect(options)
    this.#waits = new KeyWaits(
      this.#connection,
      (statements, keys) => statements.getResults.all(keys, Date.now()) as Found<string>[],
    )
  }

  protected override async put(key: string, value: string, ttl: number): Promise<void> {
    const expiry = Date.now() + ttl
    await this.#connection.write((statements) => void statements.putResult.run(key, value, expiry), { patience: 5000 })
    this.#waits.arrived(key, value)
  }

  protected override async peek(key: string): Promise<string | undefined> {
    const row = await this.#connection.read((statements) => statements.getResult.get(key, Date.now()))
    return (row as { value: string } | undefined)?.value
  }

  protected override wait(key: string, timeout: number): Promise<string | undefined> {
    return this.#waits.wait(key, timeout)
  }

  override async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#waits.close()
    await this.#connection.release()
  }
}
