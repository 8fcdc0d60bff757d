/**
 * How a process shows that it is alive: each consuming broker keeps a small file beside the database locked, and the
 * operating system releases the lock when the process ends, however it ends. It is SQLite's own kind of lock, so it
 * works wherever the database itself can be shared: also between containers, which don't see each other's processes. It
 * doesn't depend on a clock.
 */
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Database } from '../driver/database.js'
import { isBusy, loadDriver } from '../driver/driver.js'

/** Symbolic links are resolved, as SQLite does for the files beside the database. */
function prefix(path: string): string {
  return `${realpathSync(path)}-worker-`
}

/** The lock of one of our own brokers. */
export class WorkerLock {
  readonly #database: Database
  readonly #file: string

  private constructor(database: Database, file: string) {
    this.#database = database
    this.#file = file
  }

  /**
   * Locks the file of a worker. Returns `undefined` if that isn't possible; then only heartbeats show that the worker
   * is alive.
   * @param path The database, which must exist.
   */
  static acquire(path: string, id: number): WorkerLock | undefined {
    let database: Database | undefined
    try {
      const file = prefix(path) + id
      database = loadDriver().open(file)
      // The journal stays in memory: nothing is ever written.
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = memory; BEGIN EXCLUSIVE')
      // Every user of the database may check the lock. And the file may have been removed before it was locked.
      chmodSync(file, statSync(path).mode)
      return new WorkerLock(database, file)
    } catch {
      database?.close()
      return undefined
    }
  }

  /** Releases the lock, as the end of the process would. */
  unlock(): void {
    this.#database.close()
  }

  release(): void {
    this.unlock()
    remove(this.#file)
  }
}

/** The locks of other workers, as one broker sees them. */
export class OtherLocks {
  /** Kept open, so that a check is one or two system calls. */
  readonly #open = new Map<number, Database>()

  /** Whether a worker holds its lock; `undefined` if it has none, or if that can't be checked. */
  isHeld(path: string, id: number): boolean | undefined {
    try {
      const database = this.#open.get(id) ?? this.#openLockFile(path, id)
      // Needs the shared lock of readers, and reads next to nothing.
      database?.exec('PRAGMA user_version')
      return database && false
    } catch (error) {
      return isBusy(error) ? true : undefined
    }
  }

  #openLockFile(path: string, id: number): Database | undefined {
    const file = prefix(path) + id
    // SQLite would create the file.
    if (!existsSync(file)) return undefined
    const database = loadDriver().open(file)
    this.#open.set(id, database)
    database.exec('PRAGMA busy_timeout = 0')
    return database
  }

  /** Closes all but these. */
  retain(ids: ReadonlySet<number>): void {
    for (const id of this.#open.keys()) if (!ids.has(id)) this.#forget(id)
  }

  #forget(id: number): void {
    this.#open.get(id)?.close()
    this.#open.delete(id)
  }

  /** Removes the file of a dead worker. */
  sweep(path: string, id: number): void {
    this.#forget(id)
    remove(prefix(path) + id)
  }

  /** Removes the files of dead workers that no other worker has removed. */
  sweepAll(path: string, known: ReadonlySet<number>): void {
    const start = prefix(path)
    for (const name of readdirSync(dirname(start))) {
      if (!name.startsWith(basename(start))) continue
      const id = Number(name.slice(basename(start).length))
      if (!Number.isInteger(id) || known.has(id)) continue
      if (this.isHeld(path, id) === false) this.sweep(path, id)
      else this.#forget(id)
    }
  }

  close(): void {
    this.retain(new Set())
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // If open files can't be removed, the next worker removes it.
  }
}
