/**
 * Detects commits of other processes and threads. The operating system reports writes to the write-ahead log, and
 * `PRAGMA data_version` tells whether there was a commit. Where writes aren't reported (network file systems, Windows),
 * and behind the reports, `data_version` is polled. Works only while there are waits.
 */
import { type FSWatcher, realpathSync, watch } from 'node:fs'
import { getLogger } from '../../../lib/logger.js'
import { startTimer } from '../../../lib/time.js'
import type { Statements } from '../statements.js'

/**
 * How often `data_version` is polled, in milliseconds: behind reports, and without them. A poll costs 0.2 ms of a core, most
 * of it to wake the process (`bench/sqlite/idle.ts`).
 */
const pollInterval = { withReports: 100, withoutReports: 20 }

/**
 * How long nothing is watched or polled after a commit, in milliseconds. On a busy file a wait then wakes the process 200
 * times a second, and not with every write, which would also slow down the writers.
 */
export const restAfterCommit = 5

/** How often `data_version` is polled if nobody needs to know sooner, in milliseconds. Then nothing is watched. */
const patientInterval = 50

export class ChangeWatcher {
  readonly #path: string
  readonly #statements: () => Statements | undefined
  readonly #onForeign = new Set<() => void>()
  /** Those of the listeners that may be called a little later. */
  readonly #patient = new Set<() => void>()
  readonly #onAny = new Set<() => void>()
  #log: FSWatcher | undefined
  /** Whether the system reports writes, as far as is known. Windows reports a write when it reaches the disk, too late. */
  #watchable = process.platform !== 'win32'
  #timer: NodeJS.Timeout | undefined
  #version: number | undefined
  /** Whether this process has committed since the last report. */
  #committed = false

  /**
   * @param path The database.
   * @param statements The statements of the open file; nothing while it isn't open.
   */
  constructor(path: string, statements: () => Statements | undefined) {
    this.#path = path
    this.#statements = statements
  }

  /**
   * Calls a listener whenever another process or thread has committed. Returns a function that ends that.
   * @param options.patient Whether it may be called 50 ms later, which costs less. @default false
   */
  watchOthers(listener: () => void, { patient = false }: { patient?: boolean } = {}): () => void {
    const hasBegun = this.#timer !== undefined
    const wasPatient = this.#isPatient
    this.#onForeign.add(listener)
    if (patient) this.#patient.add(listener)
    if (!hasBegun) this.#version = this.#readVersion()
    if (!hasBegun || (wasPatient && !patient)) {
      this.#watchLog()
      this.#pollAfter(pollInterval.withReports)
    }
    return () => {
      this.#onForeign.delete(listener)
      this.#patient.delete(listener)
    }
  }

  get #isPatient(): boolean {
    return this.#patient.size === this.#onForeign.size
  }

  /** Resolves when any process has committed, this one included, or after `pause` milliseconds. */
  anyChange(pause: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        this.#onAny.delete(done)
        resolve()
      }
      const timer = startTimer(done, pause)
      const stop = this.watchOthers(done)
      this.#onAny.add(done)
    })
  }

  /** Call it after every commit of this process. */
  committed(): void {
    this.#committed = true
    for (const listener of this.#onAny) listener()
  }

  /** Call it when the file was opened: it may be another file than before. */
  opened(): void {
    this.#unwatchLog()
    this.#watchable = process.platform !== 'win32'
    if (this.#timer) this.#watchLog()
  }

  close(): void {
    this.#stop()
    this.#onForeign.clear()
    this.#patient.clear()
    for (const done of this.#onAny) done()
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#unwatchLog()
  }

  /** Watches the log and not the database: where a watch opens the file, closing it would release SQLite's locks on it. */
  #watchLog(): void {
    if (this.#log || !this.#watchable || this.#isPatient || !this.#statements()) return
    this.#committed = false
    try {
      this.#log = watch(`${realpathSync(this.#path)}-wal`, { persistent: false }, () => this.#onReport())
      this.#log.on('error', (error) => this.#onWatchError(error))
    } catch (error) {
      this.#onWatchError(error)
    }
  }

  #unwatchLog(): void {
    this.#log?.close()
    this.#log = undefined
  }

  #onWatchError(error: unknown): void {
    this.#unwatchLog()
    this.#watchable = false
    getLogger().debug(
      { err: error, path: this.#path },
      `The system does not report writes to this SQLite database; polling every ${pollInterval.withoutReports} ms`,
    )
  }

  /** A write is reported before its commit, so one poll may be too early. */
  #onReport(): void {
    if (this.#committed || this.#isPatient) this.#rest()
    else this.#poll(1)
  }

  /** Polls now; if nothing has changed, again after `pause` milliseconds, then after twice that time, and so on. */
  #poll(pause: number): void {
    if (this.#hasChanged()) {
      this.#rest()
      for (const listener of this.#onForeign) listener()
    } else {
      if (this.#isPatient) this.#unwatchLog()
      this.#watchLog()
      this.#pollAfter(pause, 2 * pause)
    }
  }

  #rest(): void {
    this.#unwatchLog()
    this.#pollAfter(restAfterCommit)
  }

  #pollAfter(pause: number, nextPause: number = pollInterval.withReports): void {
    clearTimeout(this.#timer)
    const poll = (): void => {
      if (this.#onForeign.size === 0) this.#stop()
      else this.#poll(nextPause)
    }
    const longest = this.#watchable ? pollInterval.withReports : pollInterval.withoutReports
    this.#timer = startTimer(poll, this.#isPatient ? patientInterval : Math.min(pause, longest)).unref()
  }

  #hasChanged(): boolean {
    const version = this.#readVersion()
    if (version === undefined || version === this.#version) return false
    this.#version = version
    return true
  }

  #readVersion(): number | undefined {
    try {
      return (this.#statements()?.dataVersion.get() as { data_version: number } | undefined)?.data_version
    } catch {
      // Busy, or the file is gone; the next read reports it.
      return undefined
    }
  }
}
