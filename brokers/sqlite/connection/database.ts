/**
 * Opens the file: creates it if it is new, migrates it if it is old, and refuses it, unchanged, if it belongs to
 * another program. It never waits: if another process is doing the same, SQLite's "busy" reaches the caller, who
 * retries.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { BrokerUnusable, IncompatibleStore } from '../../../lib/errors.js'
import type { Database, Driver } from '../driver/database.js'
import { isBusy } from '../driver/driver.js'
import { texts } from '../sql-texts.js'
import { prepareAll, type Statements } from '../statements.js'
import { explain } from './failures.js'

/** The durability of commits; see `SQLiteBrokerOptions`. */
export type Synchronous = 'normal' | 'full'

export interface OpenDatabase {
  readonly database: Database
  readonly statements: Statements
  /** Identifies the file itself, even if its path changes. */
  readonly inode: number
}

/** The `application_id` of our files: 'drms'. */
export const applicationId = 0x64726d73
/** The `user_version` of files of this version of dramatis. */
export const schemaVersion = 3

/** @throws {BrokerUnusable} {IncompatibleStore}, or SQLite's own error if it is busy. */
export function openDatabase(driver: Driver, path: string, synchronous: Synchronous): OpenDatabase {
  checkPath(path)
  let database: Database | undefined
  try {
    database = driver.open(path)
    // Blocks the event loop for 20 ms at most while another process writes. Most transactions are shorter; longer ones
    // are awaited asynchronously.
    database.exec('PRAGMA busy_timeout = 20')
    const version = checkOwner(database, path)
    useWriteAheadLog(database, path)
    database.exec(synchronous === 'full' ? 'PRAGMA synchronous = full' : 'PRAGMA synchronous = normal')
    if (version < schemaVersion) migrate(database, path)
    return { database, statements: prepareAll(database), inode: statSync(path).ino }
  } catch (error) {
    database?.close()
    throw isBusy(error) ? error : explain(error, path)
  }
}

function checkPath(path: string): void {
  const folder = statSync(dirname(path), { throwIfNoEntry: false })
  if (!folder?.isDirectory()) {
    throw new BrokerUnusable(
      `The folder ${dirname(path)} for the SQLite database ${path} does not exist. Create it, or give another path.`,
    )
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new BrokerUnusable(`${path} is a folder, not a SQLite database. Give the path of a file in it.`)
  }
}

/** Checks whose file it is, before anything is changed. Returns its schema version, 0 for a new one. */
function checkOwner(database: Database, path: string): number {
  // One statement, so one snapshot: another process may be creating the file at this moment.
  const found = database
    .prepare(
      `SELECT application_id AS application, user_version AS version, (SELECT count(*) FROM sqlite_schema) AS tables
       FROM pragma_application_id, pragma_user_version`,
    )
    .get() as { application: number; version: number; tables: number }
  if (found.application !== applicationId && (found.application !== 0 || found.tables > 0 || found.version !== 0)) {
    throw new IncompatibleStore(
      `The SQLite database ${path} belongs to another program (application_id ${found.application}, ${found.tables} tables ` +
        'and indices). It was left as it is: give another path.',
    )
  }
  if (found.version > schemaVersion) {
    throw new IncompatibleStore(
      `The SQLite database ${path} has schema version ${found.version}; this version of dramatis supports versions up to ` +
        `${schemaVersion}. Update dramatis here too, or give another path.`,
    )
  }
  return found.version
}

function useWriteAheadLog(database: Database, path: string): void {
  const { journal_mode: mode } = database.prepare('PRAGMA journal_mode = wal').get() as { journal_mode: string }
  if (mode === 'wal') return
  throw new IncompatibleStore(
    `The SQLite database ${path} can't be shared between processes: its file system has no write-ahead log ` +
      `(journal mode "${mode}"). Put it on a local disk.`,
  )
}

/** Migrates a file to this version's schema, in one transaction, unless another process has done it in the meantime. */
function migrate(database: Database, path: string): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = checkOwner(database, path)
    if (version === 0) database.exec(readSQL('schema.sql'))
    else for (const name of migrationsAfter(version)) database.exec(readSQL(name))
    database.exec('COMMIT')
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite rolls back by itself after some errors, such as a full disk.
    }
    throw error
  }
}

/** The scripts that migrate a file of that version, in order: each is named by the version it leads to. */
function migrationsAfter(version: number): string[] {
  const folder = 'migrations/'
  return Object.keys(texts)
    .filter((path) => path.startsWith(folder) && Number.parseInt(path.slice(folder.length), 10) > version)
    .sort()
}

function readSQL(path: string): string {
  return texts[path] as string
}
