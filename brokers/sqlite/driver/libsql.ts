/**
 * The package `libsql` behind the interface of driver.ts. It is modelled on better-sqlite3; its differences are
 * compensated here.
 */
import type { Database, Parameters, Statement } from './database.js'

interface LibSQLStatement {
  run(values: unknown): { readonly changes: number }
  get(values: unknown): Record<string, unknown> | undefined
  all(values: unknown): Record<string, unknown>[]
}

interface LibSQLDatabase {
  readonly inTransaction: boolean
  exec(sql: string): void
  prepare(sql: string): LibSQLStatement
  close(): void
}

export type LibSQL = new (path: string) => LibSQLDatabase

/** An error thrown by the constructor has no result code, only a text that ends with it. */
class OpenFailed extends Error {
  constructor(
    message: string,
    readonly errcode: number,
    options: ErrorOptions,
  ) {
    super(message, options)
  }
}

export function openLibSQL(LibSQL: LibSQL, path: string): Database {
  return new LibSQLConnection(construct(LibSQL, path))
}

function construct(LibSQL: LibSQL, path: string): LibSQLDatabase {
  try {
    return new LibSQL(path)
  } catch (cause) {
    const text = (cause as Error).message
    const [, code] = /: (\d+)\D*$/.exec(text) ?? []
    if (code === undefined) throw cause
    throw new OpenFailed(text, Number(code), { cause })
  }
}

class LibSQLConnection implements Database {
  #database: LibSQLDatabase | undefined
  readonly #statements: PreparedStatement[] = []

  constructor(database: LibSQLDatabase) {
    this.#database = database
  }

  exec(sql: string): void {
    this.#opened().exec(sql)
  }

  prepare(sql: string): Statement {
    const statement = new PreparedStatement(this.#opened().prepare(sql))
    this.#statements.push(statement)
    return statement
  }

  /**
   * A statement keeps the file open until it is collected as garbage, so all are let go of; and what must not wait for
   * that, the end of a transaction and the log's way into the database, is done here.
   */
  close(): void {
    const database = this.#database
    if (!database) return
    this.#database = undefined
    for (const statement of this.#statements.splice(0)) statement.release()
    if (database.inTransaction) database.exec('ROLLBACK')
    database.close()
  }

  #opened(): LibSQLDatabase {
    if (!this.#database) throw closed()
    return this.#database
  }
}

class PreparedStatement implements Statement {
  #statement: LibSQLStatement | undefined

  constructor(statement: LibSQLStatement) {
    this.#statement = statement
  }

  run(...values: Parameters): { readonly changes: number } {
    return this.#prepared().run(bind(values))
  }

  get(...values: Parameters): unknown {
    const row = this.#prepared().get(bind(values))
    if (row === undefined) return undefined
    const { _metadata, ...columns } = row
    return withBytes(columns)
  }

  all(...values: Parameters): unknown[] {
    return this.#prepared().all(bind(values)).map(withBytes)
  }

  release(): void {
    this.#statement = undefined
  }

  #prepared(): LibSQLStatement {
    if (!this.#statement) throw closed()
    return this.#statement
  }
}

/** Passed as one array: if spread, a single `null` or `Uint8Array` would be taken for the object of named values. */
function bind(values: Parameters): Parameters | Readonly<Record<string, unknown>> {
  const [named] = values
  if (typeof named === 'object' && named !== null && !(named instanceof Uint8Array)) return named
  // It would end the process.
  for (const value of values) if (typeof value === 'boolean') throw new TypeError('SQLite has no booleans.')
  return values
}

/** Its BLOBs are `ArrayBuffer`s. */
function withBytes(row: Record<string, unknown>): Record<string, unknown> {
  for (const name in row) {
    const value = row[name]
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value)
  }
  return row
}

function closed(): Error {
  return new TypeError('The database connection is not open')
}
