/** Files for the tests of the SQLite broker: a folder of its own for each test, and other ways to the same file. */
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

/** The path of a database that isn't there yet. */
export function makePath(t: Pick<Test, 'teardown'>): string {
  return join(makeFolder(t), 'queue.db')
}

/**
 * Another path to the same file. Brokers on it have a connection of their own, as those of another process: one process
 * shares a connection by path.
 */
export function detour(path: string): string {
  const link = join(mkdtempSync(join(dirname(path), 'detour-')), 'link')
  symlinkSync(dirname(path), link)
  return join(link, basename(path))
}

/** Does something with the file behind the brokers' backs. */
export function inDatabase<T>(path: string, work: (database: Database) => T): T {
  const database = loadDriver().open(path)
  try {
    database.exec('PRAGMA busy_timeout = 5000')
    return work(database)
  } finally {
    database.close()
  }
}

/** Lets a broker die as `kill -9` would. */
export async function crash(broker: SQLiteBroker): Promise<void> {
  await broker.abandon()
}
