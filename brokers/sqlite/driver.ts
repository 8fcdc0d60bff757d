/**
 * One small face over two SQLite drivers: `node:sqlite` where Node has it (22.13 and later), else `better-sqlite3`.
 * Nothing else in this folder knows which one it is.
 */
import { createRequire } from 'node:module'
import { DependencyMissing } from '../../lib/errors.js'

export type Value = string | number | null | Uint8Array
/** What goes into a statement's question marks; or one object, for its named places. */
export type Parameters = Value[] | [Readonly<Record<string, Value>>]

export interface Statement {
  /** Runs it; says how many rows it changed. */
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
  readonly name: 'node:sqlite' | 'better-sqlite3'
  open(path: string): Database
}

const require = createRequire(import.meta.url)
let found: Driver | undefined

/**
 * The driver to use.
 * @throws {DependencyMissing} when this Node has no SQLite and `better-sqlite3` isn't installed.
 */
export function loadDriver(): Driver {
  found ??= loadNodeSQLite() ?? loadBetterSQLite3()
  return found
}

/** Node's own driver, where there is one. */
export function loadNodeSQLite(): Driver | undefined {
  type Module = { DatabaseSync: new (path: string) => Database }
  const load = (process as { getBuiltinModule?: (id: string) => unknown }).getBuiltinModule
  if (!load) return undefined
  const sqlite = withoutExperimentalWarning(() => load('node:sqlite')) as Module | undefined
  return sqlite && { name: 'node:sqlite', open: (path) => new sqlite.DatabaseSync(path) }
}

/** @throws {DependencyMissing} */
export function loadBetterSQLite3(): Driver {
  let BetterSQLite3: new (path: string) => Database
  try {
    BetterSQLite3 = require('better-sqlite3')
  } catch (cause) {
    throw new DependencyMissing(
      'better-sqlite3',
      `SQLite on Node ${process.version} (Node 22.13 and later bring their own)`,
      { cause },
    )
  }
  return { name: 'better-sqlite3', open: (path) => new BetterSQLite3(path) }
}

/** Loading `node:sqlite` warns that it is experimental, which is nothing our users can act on. Only that one is kept back. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const aboutSQLite = rest.includes('ExperimentalWarning') && String(warning).includes('SQLite')
    if (!aboutSQLite) Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof emitWarning
  try {
    return load()
  } finally {
    process.emitWarning = emitWarning
  }
}

/** SQLite's primary result codes that mean something to us. */
const codes: Readonly<Record<number, string>> = {
  3: 'PERM',
  5: 'BUSY',
  6: 'LOCKED',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  26: 'NOTADB',
}

/** SQLite's result code in an error, without its prefix and extension: `BUSY`, `FULL`, …; `undefined` for other errors. */
export function codeOf(error: unknown): string | undefined {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  if (typeof errcode === 'number') return codes[errcode & 0xff] ?? 'ERROR'
  if (typeof code === 'string' && code.startsWith('SQLITE_')) return code.split('_')[1]
  return undefined
}

/** Whether someone else has the lock at the moment, so that the same is worth trying again. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'BUSY' || code === 'LOCKED'
}
