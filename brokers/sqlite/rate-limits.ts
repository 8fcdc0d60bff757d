/** The state of rate limiters, in the same file as the messages. Every change is one transaction. */
import { refuseUnknown } from '../../lib/checks.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import type { Connection } from './connection/connection.js'
import { openConnection, type SQLiteFileOptions } from './connection/file-options.js'
import { type Found, KeyWaits } from './key-waits.js'
import type { Statements } from './statements.js'

/**
 * Keeps the state of rate limiters in a SQLite file, by default the broker's own (`./dramatis.db`).
 * @throws {DependencyMissing} if this Node has no SQLite (22.13 and later have) and neither `better-sqlite3` nor
 * `libsql` is installed.
 */
export class SQLiteRateLimits implements RateLimitBackend {
  readonly #connection: Connection
  readonly #waits: KeyWaits<number>
  #closed = false

  constructor(options: SQLiteFileOptions = {}) {
    refuseUnknown(options, ['path', 'synchronous'], 'SQLiteRateLimits')
    this.#connection = openConnection(options)
    this.#waits = new KeyWaits<number>(
      this.#connection,
      (statements, keys) => statements.getNotifications.all(keys) as Found<number>[],
      // A notification that was still valid when the wait began, or came later.
      (expiresAt, since) => expiresAt >= since,
    )
  }

  async add(key: string, value: number, ttl: number): Promise<boolean> {
    return this.#change(key, ttl, (current) => (current === undefined ? value : undefined))
  }

  async incr(key: string, amount: number, maximum: number, ttl: number): Promise<boolean> {
    return this.#change(key, ttl, (current = 0) => (current + amount > maximum ? undefined : current + amount))
  }

  async decr(key: string, amount: number, minimum: number, ttl: number): Promise<boolean> {
    return this.#change(key, ttl, (current = 0) => (current - amount < minimum ? undefined : current - amount))
  }

  async incrAndSum(
    key: string,
    keys: readonly string[],
    amount: number,
    maximum: number,
    ttl: number,
  ): Promise<boolean> {
    const list = JSON.stringify(keys)
    return this.#change(key, ttl, (current = 0, statements) => {
      const { sum } = statements.sumLimits.get(list, Date.now()) as { sum: number }
      return current + amount > maximum || sum + amount > maximum ? undefined : current + amount
    })
  }

  async read(keys: readonly string[]): Promise<readonly number[]> {
    const now = Date.now()
    return this.#connection.read((statements) =>
      keys.map((key) => (statements.getLimit.get(key, now) as { value: number } | undefined)?.value ?? 0),
    )
  }

  /** Stores what `decide` returns for the current value, unless that is `undefined`. Returns whether it stored it. */
  #change(
    key: string,
    ttl: number,
    decide: (current: number | undefined, statements: Statements) => number | undefined,
  ): Promise<boolean> {
    return this.#connection.write(
      (statements) => {
        const now = Date.now()
        const row = statements.getLimit.get(key, now) as { value: number } | undefined
        const value = decide(row?.value, statements)
        if (value !== undefined) statements.putLimit.run(key, value, now + ttl)
        return value !== undefined
      },
      { lockTimeout: 5000 },
    )
  }

  async wait(key: string, timeout: number): Promise<boolean> {
    return (await this.#waits.wait(key, timeout)) !== undefined
  }

  async notify(key: string, ttl: number): Promise<void> {
    const expiry = Date.now() + ttl
    await this.#connection.write((statements) => void statements.notify.run(key, expiry), { lockTimeout: 5000 })
    this.#waits.resolveWaiters(key, expiry)
  }

  now(): number {
    return Date.now()
  }

  /** Releases the file. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#waits.close()
    await this.#connection.release()
  }
}
