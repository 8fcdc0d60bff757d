/**
 * The row of a consuming broker in the table of workers, which makes its messages its own.
 *
 * It 1. registers the broker at its first take, and locks its file; 2. renews the row; 3. finds lost workers (see
 * lost-workers.ts) and requeues their messages; 4. on close, requeues what is left and removes the row.
 */
import { randomInt } from 'node:crypto'
import { getLogger } from '../../../lib/logger.js'
import { startInterval } from '../../../lib/time.js'
import type { Connection } from '../connection/connection.js'
import type { Statements } from '../statements.js'
import { hostId } from './host.js'
import { LostWorkerDetector, type WorkerRow } from './lost-workers.js'
import { WorkerLock } from './worker-lock.js'

/** How often lost workers are searched, in milliseconds; more often if heartbeats are more frequent. */
const maxCheckInterval = 1000

export class Lease {
  readonly #connection: Connection
  readonly #timeout: number
  readonly #heartbeatInterval: number
  readonly #checkInterval: number
  readonly #lostWorkers: LostWorkerDetector
  /**
   * The id of the row. Random, because late settlements of a lost worker would match a reused id; four bytes wide in
   * the file, like the holder of ready messages.
   */
  #id: number | undefined
  #lock: WorkerLock | undefined
  #registering: Promise<void> | undefined
  #timers: NodeJS.Timeout[] = []
  #closed = false

  /** @param timeout How long the row is valid without being renewed, in milliseconds. */
  constructor(connection: Connection, timeout: number) {
    this.#connection = connection
    this.#timeout = timeout
    this.#heartbeatInterval = timeout / 6
    this.#checkInterval = Math.min(this.#heartbeatInterval, maxCheckInterval)
    this.#lostWorkers = new LostWorkerDetector(timeout, this.#checkInterval)
  }

  /** The holder of messages taken now; `undefined` until registered. */
  get id(): number | undefined {
    return this.#id
  }

  /** Registers, unless that was done already; again if `lost` is the id of a row that no longer exists. */
  register(lost?: number): Promise<void> {
    if (lost !== undefined && lost === this.#id) this.#id = undefined
    if (this.#id !== undefined) return Promise.resolve()
    this.#registering ??= this.#register().finally(() => {
      this.#registering = undefined
    })
    return this.#registering
  }

  async #register(): Promise<void> {
    const id = randomInt(2 ** 24, 2 ** 31 - 1)
    // Creates the file if it doesn't exist.
    await this.#connection.read(() => {})
    if (this.#closed) return
    // The lock comes first: a row without one would look like that of an older version.
    this.#lock?.release()
    this.#lock = WorkerLock.acquire(this.#connection.path, id)
    await this.#connection.write(
      (statements) => statements.register.run(id, hostId ?? null, process.pid, Date.now() + this.#timeout),
      { lockTimeout: 5000 },
    )
    if (this.#closed) return
    this.#id = id
    await this.#recover(true).catch((error) => this.#warn(error))
    if (this.#timers.length > 0 || this.#closed) return
    this.#timers = [
      startInterval(() => this.#sendHeartbeat().catch((error) => this.#warn(error)), this.#heartbeatInterval).unref(),
      startInterval(() => this.#recover().catch((error) => this.#warn(error)), this.#checkInterval).unref(),
    ]
  }

  /**
   * Requeues, uncounted, the messages it still holds, and removes the row.
   * @param lockTimeout How long it may wait for the lock, in milliseconds: after `heartbeatTimeout` other workers do
   * the same.
   */
  async close(lockTimeout: number): Promise<void> {
    this.#stop()
    try {
      await this.#registering
      await this.#deregister(Math.min(lockTimeout, this.#timeout))
    } finally {
      this.#lock?.release()
      this.#lostWorkers.close()
    }
  }

  async #deregister(lockTimeout: number): Promise<void> {
    const id = this.#id
    if (id === undefined) return
    this.#id = undefined
    const deregister = (statements: Statements): void => {
      statements.giveAllBack.run(id)
      statements.dismiss.run(id)
    }
    await this.#connection.write(deregister, { lockTimeout })
    this.#connection.queueWaits.wakeAll()
  }

  /** Ends as if the process had died: other workers recover its messages. */
  abandon(): void {
    this.#stop()
    this.#lock?.unlock()
    this.#lock = undefined
    this.#lostWorkers.close()
  }

  #stop(): void {
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
  }

  #warn(error: unknown): void {
    getLogger().warn({ err: error, path: this.#connection.path }, 'The heartbeat of this worker failed; trying again')
  }

  async #sendHeartbeat(): Promise<void> {
    const id = this.#id
    if (id === undefined || this.#registering) return
    const renewed = await this.#connection.write(
      (statements) => statements.renew.run(Date.now() + this.#timeout, id).changes,
    )
    if (Number(renewed) > 0 || this.#closed) return
    getLogger().warn({ path: this.#connection.path }, 'This worker was considered lost; its messages were requeued')
    await this.register(id)
  }

  /**
   * Requeues the messages of lost workers. With `sweep` it also removes lock files of workers that are no longer
   * registered.
   */
  async #recover(sweep = false): Promise<void> {
    const own = this.#id
    if (own === undefined) return
    const { path } = this.#connection
    const others = await this.#connection.read((statements) => statements.otherWorkers.all(own) as WorkerRow[])
    if (this.#closed) return
    if (sweep) this.#lostWorkers.sweep(path, new Set([own, ...others.map(({ id }) => id)]))
    const lost = this.#lostWorkers.findLost(path, others)
    if (lost.length === 0) return
    const recovered = await this.#connection.write((statements) => {
      for (const { worker, gone } of lost) {
        // A worker that was only silent may have renewed its row in the meantime; one whose lock is free can't.
        if (gone) statements.dismiss.run(worker.id)
        else statements.dismissSilent.run(worker.id, worker.expiresAt)
      }
      return Number(statements.recoverOrphans.run().changes)
    })
    this.#lostWorkers.removeLocks(path, lost)
    if (recovered === 0) return
    getLogger().warn({ workers: lost, recovered }, 'Messages of lost workers were requeued')
    this.#connection.queueWaits.wakeAll()
  }
}
