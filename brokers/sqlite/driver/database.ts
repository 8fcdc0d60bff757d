/** What this package needs of a SQLite driver: the interface of driver.ts over all of them. */

export type Value = string | number | null | Uint8Array
/** The values of a statement's question marks; or one object, for named parameters. */
export type Parameters = Value[] | [Readonly<Record<string, Value>>]

export interface Statement {
  /** Runs it; returns how many rows it changed. */
  run(...values: Parameters): { readonly changes: number | bigint }
  get(...values: Parameters): unknown
  all(...values: Parameters): unknown[]
}

export interface Database {
  /** Runs a script of several statements. */
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

export interface Driver {
  readonly name: 'node:sqlite' | 'better-sqlite3' | 'libsql'
  open(path: string): Database
}
