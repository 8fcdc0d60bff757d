/**
 * Protects native modules in worker threads: `better-sqlite3` and `libsql` abort the whole process if their thread is
 * terminated in the middle of a call, so the termination is delayed. On the main thread the driver is used directly.
 */
import { isMainThread } from 'node:worker_threads'
import { enterNative, leaveNative } from '../../../lib/termination-guard.js'
import type { Database, Parameters, Statement } from './database.js'

export function openTerminationSafe(open: (path: string) => Database): (path: string) => Database {
  return isMainThread ? open : (path) => new TerminationSafeDatabase(guarded(() => open(path)))
}

class TerminationSafeDatabase implements Database {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  exec(sql: string): unknown {
    return guarded(() => this.#database.exec(sql))
  }

  prepare(sql: string): Statement {
    return new TerminationSafeStatement(guarded(() => this.#database.prepare(sql)))
  }

  close(): unknown {
    return guarded(() => this.#database.close())
  }
}

class TerminationSafeStatement implements Statement {
  readonly #statement: Statement

  constructor(statement: Statement) {
    this.#statement = statement
  }

  run(...values: Parameters): { readonly changes: number | bigint } {
    return guarded(() => this.#statement.run(...values))
  }

  get(...values: Parameters): unknown {
    return guarded(() => this.#statement.get(...values))
  }

  all(...values: Parameters): unknown[] {
    return guarded(() => this.#statement.all(...values))
  }
}

function guarded<T>(call: () => T): T {
  enterNative()
  try {
    return call()
  } finally {
    leaveNative()
  }
}
