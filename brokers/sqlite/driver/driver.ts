/**
 * One small interface over three SQLite drivers: `node:sqlite` if Node has it (22.13 and later), else `better-sqlite3`
 * or `libsql`, whichever is installed. No other code in this folder knows which one is used.
 */
// Hidden from bundlers, which can't bundle a binary.
import { ownRequire as require } from '../../../lib/bundled.js'
import { DependencyMissing } from '../../../lib/errors.js'
import type { Database, Driver } from './database.js'
import { type LibSQL, openLibSQL } from './libsql.js'
import { openTerminationSafe } from './termination-safe.js'

let found: Driver | undefined

/**
 * The driver to use.
 * @throws {DependencyMissing} if this Node has no SQLite and neither `better-sqlite3` nor `libsql` can be loaded.
 */
export function loadDriver(): Driver {
  found ??= loadNodeSQLite() ?? loadInstalled()
  return found
}

/**
 * Loads the first of the packages that is installed.
 * @throws {DependencyMissing}
 */
export function loadInstalled(): Driver {
  const causes: Error[] = []
  for (const load of [loadBetterSQLite3, loadLibSQL]) {
    try {
      return load()
    } catch (error) {
      // A package that is installed but can't be loaded is more informative than one that is missing.
      if (isMissing(error)) causes.push(error as Error)
      else causes.unshift(error as Error)
    }
  }
  const [cause] = causes
  const broken = isMissing(cause) ? '' : `; the one that is installed can't be loaded: ${firstLine(cause)}`
  throw new DependencyMissing('libsql', `SQLite on Node ${process.version} (22.13 and later have their own${broken})`, {
    cause,
  })
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'MODULE_NOT_FOUND'
}

function firstLine(error: Error | undefined): string {
  return error?.message.split('\n')[0] ?? ''
}

/** Node's own driver, if there is one. */
export function loadNodeSQLite(): Driver | undefined {
  type Module = { DatabaseSync: new (path: string) => Database }
  const load = (process as { getBuiltinModule?: (id: string) => unknown }).getBuiltinModule
  if (!load) return undefined
  const sqlite = withoutExperimentalWarning(() => load('node:sqlite')) as Module | undefined
  return sqlite && { name: 'node:sqlite', open: (path) => new sqlite.DatabaseSync(path) }
}

/** The package `better-sqlite3`. Throws if it can't be loaded. */
export function loadBetterSQLite3(): Driver {
  const BetterSQLite3 = require('better-sqlite3') as new (path: string) => Database
  // Loads its binary now, which may have been compiled for another Node.
  new BetterSQLite3(':memory:').close()
  return { name: 'better-sqlite3', open: openTerminationSafe((path) => new BetterSQLite3(path)) }
}

/** The package `libsql`. Throws if it can't be loaded. */
export function loadLibSQL(): Driver {
  const LibSQL = require('libsql') as LibSQL
  return { name: 'libsql', open: openTerminationSafe((path) => openLibSQL(LibSQL, path)) }
}

/** Loading `node:sqlite` warns that it is experimental, which users can't act on. Only that warning is suppressed. */
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

/** SQLite's primary result codes that are handled here. */
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

/** Whether another process has the lock at the moment, so that retrying is worthwhile. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'BUSY' || code === 'LOCKED'
}
