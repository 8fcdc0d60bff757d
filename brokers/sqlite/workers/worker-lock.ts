/**
 * How a process tells others that it is alive: each consuming broker keeps a small file beside the database locked, and
 * the operating system frees the lock when the process ends, however it ends. The lock is SQLite's own, so it holds
 * wherever the database itself can be shared: between containers, too, which don't see each other's processes. No clock
 * takes part.
 */
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type Database, isBusy, loadDriver } from '../driver/driver.js'

/** Symbolic links are resolved, as SQLite does for the files that it puts there. */
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
   * Locks the file of a worker. Gives back `undefined` where that can't be done; then only heartbeats tell others that
   * it is alive.
   * @param path The database, which must be there.
   */
  static acquire(path: string, id: number): WorkerLock | undefined {
    let database: Database | undefined
    try {
      const file = prefix(path) + id
      database = loadDriver().open(file)
      // The journal stays in memory: nothing is ever written.
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = memory; BEGIN EXCLUSIVE')
      // Whoever may use the database may look at the lock. And it may have been swept away before it was locked.
      chmodSync(file, statSync(path).mode)
      return new WorkerLock(database, file)
    } catch {
      database?.close()
      return undefined
    }
  }

  /** Frees the lock, as the end of the process would. */
  drop(): void {
    this.#database.close()
  }

  release(): void {
    this.drop()
    remove(this.#file)
  }
}

/** The locks of others, as one broker looks at them. */
export class OtherLocks {
  /** Kept open: a look is then one system call or two. */
  readonly #open = new Map<number, Database>()

  /** Whether a worker holds its lock; `undefined` when it has none, or it can't be looked at. */
  isHeld(path: string, id: number): boolean | undefined {
    try {
      const database = this.#open.get(id) ?? this.#look(path, id)
      // Needs the lock that readers share, and reads next to nothing.
      database?.exec('PRAGMA user_version')
      return database && false
    } catch (error) {
      return isBusy(error) ? true : undefined
    }
  }

  #look(path: string, id: number): Database | undefined {
    const file = prefix(path) + id
    // SQLite would make it.
    if (!existsSync(file)) return undefined
    const database = loadDriver().open(file)
    this.#open.set(id, database)
    database.exec('PRAGMA busy_timeout = 0')
    return database
  }

  /** Forgets all but these. */
  retain(ids: ReadonlySet<number>): void {
    for (const id of this.#open.keys()) if (!ids.has(id)) this.#forget(id)
  }

  #forget(id: number): void {
    this.#open.get(id)?.close()
    this.#open.delete(id)
  }

  /** Removes the file that a dead worker has left. */
  sweep(path: string, id: number): void {
    this.#forget(id)
    remove(prefix(path) + id)
  }

  /** Removes the files of workers that died where nobody was left to do it. */
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
    // Where open files can't be removed, the next worker does it.
  }
}
