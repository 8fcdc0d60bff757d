/**
 * The one connection of a process (or a thread) to a file, shared by every broker, results backend and rate limiter on
 * that path. It opens the file on first use, combines the writes of one turn of the event loop in one transaction, and
 * waits for other processes without blocking.
 */
import { statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BrokerClosed } from '../../../lib/errors.js'
import { getLogger } from '../../../lib/logger.js'
import { Deadline, pause, startTimer } from '../../../lib/time.js'
import { isBusy, loadDriver } from '../driver/driver.js'
import { StateWatches } from '../state-watches.js'
import type { Statements } from '../statements.js'
import { ChangeWatcher } from './change-watcher.js'
import { type OpenDatabase, openDatabase, type Synchronous } from './database.js'
import { diskFull, explain, isDiskError } from './failures.js'
import { purgeExpired } from './purge.js'
import { type QueueDue, QueueWaits } from './queue-waits.js'
import { Write, type WriteOptions } from './write.js'

/**
 * The approximate number of rows per transaction: after that the event loop gets a turn, and other processes the lock.
 */
const rowsPerTransaction = 1000
/** How often expired rows are purged, by processes that write anyway, in milliseconds. */
const purgeInterval = 30_000

/**
 * The last bytes of a disk are reserved: to process the stored messages the write-ahead log needs up to 4 MiB, and the
 * database as much again.
 */
const reservedSpace = 8 * 1024 * 1024

const connections = new Map<string, Connection>()

export class Connection {
  readonly watcher: ChangeWatcher
  readonly queueWaits: QueueWaits
  /** Watches of keys of the state. */
  readonly stateWatches = new StateWatches(this)
  readonly #driver = loadDriver()
  #users = 0
  #synchronous: Synchronous = 'normal'
  #open: OpenDatabase | undefined
  #writes: Write<unknown>[] = []
  #scheduled = false
  #retry: NodeJS.Timeout | undefined
  #purgedAt = performance.now()
  #whenIdle: (() => void)[] = []

  private constructor(readonly path: string) {
    this.watcher = new ChangeWatcher(path, () => this.#open?.statements)
    this.queueWaits = new QueueWaits(this.watcher, () =>
      this.read((statements) => statements.queuesWithMessages.all() as QueueDue[]),
    )
  }

  /**
   * The connection of this process to a file. Each caller must call `release()`.
   * @throws {DependencyMissing} if there is no driver.
   */
  static acquire(path: string | URL, synchronous: Synchronous = 'normal'): Connection {
    const absolute = path instanceof URL ? fileURLToPath(path) : resolve(path)
    const connection = connections.get(absolute) ?? new Connection(absolute)
    connections.set(absolute, connection)
    connection.#users++
    if (synchronous === 'full') connection.#useFullSync()
    return connection
  }

  /** If one user of the file requires every commit on the disk, it applies to all. */
  #useFullSync(): void {
    this.#synchronous = 'full'
    this.#open?.database.exec('PRAGMA synchronous = full')
  }

  /** Releases it. The last user waits for pending writes (`timeout` milliseconds at most) and closes the file. */
  async release(timeout = 5000): Promise<void> {
    if (--this.#users > 0) return
    if (this.#writes.length > 0) {
      let timer: NodeJS.Timeout | undefined
      const idle = new Promise<void>((done) => {
        this.#whenIdle.push(done)
        timer = startTimer(done, timeout)
      })
      await idle.finally(() => clearTimeout(timer))
      if (this.#users > 0) return
    }
    clearTimeout(this.#retry)
    this.#retry = undefined
    connections.delete(this.path)
    for (const write of this.#writes.splice(0)) write.reject(new BrokerClosed())
    this.watcher.close()
    this.#open?.database.close()
    this.#open = undefined
  }

  /** Reads immediately; retries for `timeout` milliseconds while another process blocks it. */
  async read<T>(run: (statements: Statements) => T, timeout = 5000): Promise<T> {
    for (const deadline = performance.now() + timeout; ; await pause(randomPause())) {
      if (this.#users === 0) throw new BrokerClosed()
      try {
        return run(this.#opened().statements)
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw explain(error, this.path)
      }
    }
  }

  /** Reads, and commits nothing, so that any problem of the file shows. */
  async check(timeout: number): Promise<void> {
    const deadline = new Deadline(timeout)
    await this.read((statements) => statements.newest.get(), timeout)
    await this.write(() => {}, { lockTimeout: deadline.left })
  }

  /** Runs `run` in the transaction of this turn; resolves with its result once that is committed. */
  write<T>(run: (statements: Statements) => T, options?: WriteOptions<T>): Promise<T> {
    return this.add(new Write(run, options))
  }

  /**
   * Called before new messages are stored.
   * @throws {BrokerError} if the disk is nearly full.
   */
  assertSpace(): void {
    let free: number
    try {
      const { bavail, bsize } = statfsSync(dirname(this.path))
      free = bavail * bsize
      if (free < reservedSpace) free += (this.#opened().statements.freeInside.get() as { bytes: number }).bytes
    } catch {
      // There is no such folder, the file is locked, or the file system can't tell: storing will report it.
      return
    }
    if (free < reservedSpace) throw diskFull(this.path)
  }

  /** The same for a write that may grow until its turn comes. */
  add<T>(write: Write<T>): Promise<T> {
    if (this.#users === 0) write.reject(new BrokerClosed())
    else {
      this.#writes.push(write as Write<unknown>)
      this.#schedule()
    }
    return write.promise
  }

  #schedule(): void {
    if (this.#scheduled || this.#retry) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  // — Transactions ———————————————————————————————————————————————————————————————————————————————————————

  #flush(): void {
    if (this.#writes.length === 0) return this.#scheduleNext()
    const writes = this.#nextWrites()
    let statements: Statements
    try {
      statements = this.#opened().statements
      // A read is cheaper than the lock, for which idle workers that wake together would compete in vain.
      if (writes.every((write) => write.isIdle?.(statements))) {
        for (const write of writes) write.resolve(write.idleValue)
        writes.length = 0
      }
    } catch (error) {
      if (isBusy(error)) return this.#postpone(writes, error)
      for (const write of writes) write.reject(explain(error, this.path))
      return this.#scheduleNext()
    }
    if (writes.length > 0) this.#commit(writes, statements)
    this.#scheduleNext()
  }

  #scheduleNext(): void {
    if (this.#writes.length > 0) this.#schedule()
    else for (const done of this.#whenIdle.splice(0)) done()
  }

  /** As many writes as fit into one transaction, in order. */
  #nextWrites(): Write<unknown>[] {
    let rows = 0
    let count = 0
    while (count < this.#writes.length && rows < rowsPerTransaction)
      rows += (this.#writes[count++] as Write<unknown>).rows
    const writes = count === this.#writes.length ? this.#writes : this.#writes.slice(0, count)
    this.#writes = this.#writes.slice(count)
    for (const write of writes) write.begin()
    return writes
  }

  /** Runs all writes in one transaction; if one of them fails, each in its own, so that the others aren't affected. */
  #commit(writes: Write<unknown>[], statements: Statements, lastTry = false): void {
    const values: unknown[] = []
    try {
      statements.begin.run()
    } catch (error) {
      return this.#failed(writes, error)
    }
    try {
      for (const write of writes) values.push(write.run(statements))
      statements.commit.run()
    } catch (error) {
      this.#rollBack(statements)
      if (isBusy(error)) return this.#failed(writes, error)
      if (writes.length > 1) {
        for (const write of writes) this.#commit([write], statements)
        return
      }
      if (lastTry || !isDiskError(error) || !this.#emptyLog(statements)) return this.#failed(writes, error)
      return this.#commit(writes, statements, true)
    }
    for (let index = 0; index < writes.length; index++) (writes[index] as Write<unknown>).resolve(values[index])
    this.watcher.committed()
    if (performance.now() - this.#purgedAt >= purgeInterval) this.#purge()
  }

  /** On a full disk, only the log can shrink. Returns whether it did. */
  #emptyLog(statements: Statements): boolean {
    try {
      return (statements.emptyLog.get() as { busy: number }).busy === 0
    } catch {
      return false
    }
  }

  #rollBack(statements: Statements): void {
    try {
      statements.rollback.run()
    } catch {
      // SQLite rolls back by itself after some errors, such as a full disk.
    }
  }

  #failed(writes: Write<unknown>[], error: unknown): void {
    if (isBusy(error)) return this.#postpone(writes, error)
    const persistent = isDiskError(error) ? writes.filter((write) => write.persistent) : []
    for (const write of writes) if (!persistent.includes(write)) write.reject(explain(error, this.path))
    if (persistent.length === 0) return
    getLogger().error({ err: error, path: this.path }, 'A settlement could not be stored; trying again')
    const again = (): void => {
      for (const write of persistent) this.add(write)
    }
    startTimer(again, 250 + Math.random() * 250)
  }

  /** Retries writes after a moment; those whose time is up are rejected. */
  #postpone(writes: Write<unknown>[], error: unknown): void {
    const now = performance.now()
    const waiting = writes.filter((write) => now < write.deadline)
    for (const write of writes) if (now >= write.deadline) write.expire(explain(error, this.path))
    this.#writes = [...waiting, ...this.#writes]
    this.#retry ??= startTimer(() => {
      this.#retry = undefined
      this.#flush()
    }, randomPause())
  }

  // — The file ———————————————————————————————————————————————————————————————————————————————————————————

  #opened(): OpenDatabase {
    // If the file is deleted or replaced while it is open, every later send would be lost with it.
    if (this.#open && statSync(this.path, { throwIfNoEntry: false })?.ino !== this.#open.inode) {
      getLogger().error({ path: this.path }, 'The SQLite database was deleted or replaced; opening what is there now')
      this.#open.database.close()
      this.#open = undefined
    }
    if (!this.#open) {
      this.#open = openDatabase(this.#driver, this.path, this.#synchronous)
      this.watcher.opened()
    }
    return this.#open
  }

  #purge(): void {
    const now = Date.now()
    this.#purgedAt = performance.now()
    const purge = (statements: Statements): void => {
      if (purgeExpired(statements, now)) this.#purgedAt = Number.NEGATIVE_INFINITY
    }
    this.write(purge).catch((error) => getLogger().warn({ err: error, path: this.path }, 'Purging expired rows failed'))
  }
}

function randomPause(): number {
  return 3 + Math.random() * 20
}
