/** Files for the tests of the SQLite broker: a separate folder for each test, and other paths to the same file. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { SQLiteBroker } from '../../brokers/sqlite/broker.js'
import type { Database } from '../../brokers/sqlite/driver/database.js'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'

/** An empty folder, removed after the test. */
export function makeFolder(t: Pick<Test, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-sqlite-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The path of a database that doesn't exist yet. */
export function makePath(t: Pick<Test, 'teardown'>): string {
  return join(makeFolder(t), 'queue.db')
}

/**
 * Another path to the same file. Brokers on it have their own connection, like those of another process: within a
 * process, brokers on one path share a connection.
 */
export function detour(path: string): string {
  const link = join(mkdtempSync(join(dirname(path), 'detour-')), 'link')
  symlinkSync(dirname(path), link)
  return join(link, basename(path))
}

/** Changes the file without the brokers. */
export function inDatabase<T>(path: string, work: (database: Database) => T): T {
  const database = loadDriver().open(path)
  try {
    database.exec('PRAGMA busy_timeout = 5000')
    return work(database)
  } finally {
    database.close()
  }
}

/** Collects the connections that brokers open from now on: some limits can only be set on the connection itself. */
export function watchOpening(t: Pick<Test, 'teardown'>): Database[] {
  const driver = loadDriver()
  const { open } = driver
  const opened: Database[] = []
  driver.open = (path) => {
    const database = open(path)
    opened.push(database)
    return database
  }
  t.teardown(() => {
    driver.open = open
  })
  return opened
}

/** Makes a broker die as with `kill -9`. */
export async function crash(broker: SQLiteBroker): Promise<void> {
  await broker.abandon()
}
