/**
 * A consuming broker's row among the workers: what makes its messages its own for as long as it lives.
 *
 * Duties: 1. registers the broker when it first takes, 2. renews the row, 3. finds workers that died, by their expired
 * rows or because their process is gone, and gives back what they held, 4. on close gives back what is left and leaves.
 */
import { randomInt } from 'node:crypto'
import { getLogger } from '../../lib/logger.js'
import { startInterval } from '../../lib/time.js'
import type { Connection } from './connection.js'
import { host, isDead } from './host.js'
import type { Statements } from './statements.js'

interface WorkerRow {
  readonly id: number
  readonly host: string | null
  readonly pid: number
  readonly expiresAt: number
}

/** How often a dead process is looked for, in milliseconds; more often where heartbeats come quicker. */
const longestLookInterval = 1000

export class Lease {
  readonly #connection: Connection
  readonly #timeout: number
  /**
   * Names the row. Random, because a number that comes again would make a lost worker's late settlements hit; four bytes
   * wide in the file, as nobody is.
   */
  #id: number | undefined
  #registering: Promise<void> | undefined
  #timers: NodeJS.Timeout[] = []
  #closed = false

  /** @param timeout How long the row lives without being renewed, in milliseconds. */
  constructor(connection: Connection, timeout: number) {
    this.#connection = connection
    this.#timeout = timeout
  }

  /** Who holds what is taken now; `undefined` until registered. */
  get id(): number | undefined {
    return this.#id
  }

  /** Registers, if that wasn't done yet or if `lost` names a row that is gone. */
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
    await this.#connection.write(
      (statements) => statements.register.run(id, host ?? null, process.pid, Date.now() + this.#timeout),
      { patience: 5000 },
    )
    if (this.#closed) return
    this.#id = id
    await this.#recover().catch((error) => this.#warn(error))
    if (this.#timers.length > 0 || this.#closed) return
    const beat = this.#timeout / 6
    this.#timers = [
      startInterval(() => this.#beat().catch((error) => this.#warn(error)), beat).unref(),
      startInterval(
        () => this.#recover().catch((error) => this.#warn(error)),
        Math.min(beat, longestLookInterval),
      ).unref(),
    ]
  }

  /** Gives back, uncounted, what is still held, and leaves. */
  async close(): Promise<void> {
    this.abandon()
    await this.#registering
    const id = this.#id
    if (id === undefined) return
    this.#id = undefined
    const leave = (statements: Statements): void => {
      statements.giveAllBack.run(id)
      statements.dismiss.run(id)
    }
    await this.#connection.write(leave, { patience: this.#timeout })
    this.#connection.watcher.wakeAll()
  }

  /** Stops renewing, as if the process had died; what is held stays so until others recover it. */
  abandon(): void {
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
  }

  #warn(error: unknown): void {
    getLogger().warn({ err: error, path: this.#connection.path }, 'the heartbeat of this worker failed; trying again')
  }

  async #beat(): Promise<void> {
    const id = this.#id
    if (id === undefined || this.#registering) return
    const renewed = await this.#connection.write(
      (statements) => statements.renew.run(Date.now() + this.#timeout, id).changes,
    )
    if (Number(renewed) > 0 || this.#closed) return
    getLogger().warn(
      { path: this.#connection.path },
      'this worker was taken for dead; what it held was given to others',
    )
    await this.register(id)
  }

  /** Gives back what dead workers held. */
  async #recover(): Promise<void> {
    const own = this.#id
    if (own === undefined) return
    const lost = await this.#connection.read((statements) => {
      const others = statements.otherWorkers.all(own) as WorkerRow[]
      return others.filter(
        (other) => other.expiresAt <= Date.now() || (host !== undefined && other.host === host && isDead(other.pid)),
      )
    })
    if (lost.length === 0) return
    const now = Date.now()
    const recovered = await this.#connection.write((statements) => {
      for (const { id, expiresAt } of lost) {
        // It may have been renewed meanwhile; the dead don't come back.
        if (expiresAt <= now) statements.dismissExpired.run(id, now)
        else statements.dismiss.run(id)
      }
      return Number(statements.recoverOrphans.run().changes)
    })
    if (recovered === 0) return
    getLogger().warn({ workers: lost, recovered }, 'what lost workers held went back to its queues')
    this.#connection.watcher.wakeAll()
  }
}
