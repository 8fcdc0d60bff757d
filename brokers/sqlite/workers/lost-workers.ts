/**
 * Decides which of the other workers are lost, from the point of view of one broker.
 *
 * A worker whose lock is free is lost, immediately. One that holds its lock but is silent (it hangs, or was stopped) is
 * lost after its heartbeat timeout, and so is a silent one without a lock. Silence is measured by this process itself,
 * on a monotonic clock: neither a change of the system's clock nor a pause of the whole machine makes a worker look
 * lost.
 */
import { hostId, isDead } from './host.js'
import { OtherLocks } from './worker-lock.js'

export interface WorkerRow {
  readonly id: number
  readonly host: string | null
  readonly pid: number
  /** Changes with each heartbeat. */
  readonly expiresAt: number
}

export interface LostWorker {
  readonly worker: WorkerRow
  /** Whether it is certainly dead, or was only silent for too long. */
  readonly gone: boolean
}

interface SeenHeartbeat {
  heartbeat: number
  /** For how long this process has seen no new heartbeat, in milliseconds. */
  silence: number
  /** For how long it may be silent, in milliseconds. */
  allowedSilence: number
}

export class LostWorkerDetector {
  readonly #timeout: number
  readonly #interval: number
  readonly #locks = new OtherLocks()
  readonly #seenHeartbeats = new Map<number, SeenHeartbeat>()
  #checkedAt = performance.now()

  /**
   * @param timeout How long a worker may be silent, in milliseconds.
   * @param interval How often `findLost` is called.
   */
  constructor(timeout: number, interval: number) {
    this.#timeout = timeout
    this.#interval = interval
  }

  /** The lost ones among the other workers. `path` is the database. */
  findLost(path: string, others: readonly WorkerRow[]): readonly LostWorker[] {
    const now = performance.now()
    // If this process didn't check for a while, it may have been stopped, and all others with it.
    const elapsed = Math.min(now - this.#checkedAt, 2 * this.#interval)
    this.#checkedAt = now
    this.#forgetAllBut(others)
    const lost: LostWorker[] = []
    for (const worker of others) {
      const gone = this.#isGone(path, worker)
      if (gone || this.#isSilent(worker, elapsed)) lost.push({ worker, gone })
    }
    return lost
  }

  #isGone(path: string, { id, host: workerHost, pid }: WorkerRow): boolean {
    const held = this.#locks.isHeld(path, id)
    return held === undefined ? hostId !== undefined && workerHost === hostId && isDead(pid) : !held
  }

  #isSilent({ id, expiresAt }: WorkerRow, elapsed: number): boolean {
    const seen = this.#seenHeartbeats.get(id)
    if (seen?.heartbeat === expiresAt) {
      seen.silence += elapsed
      return seen.silence >= seen.allowedSilence
    }
    // Its own timeout may be longer than ours.
    const allowedSilence = Math.max(this.#timeout, expiresAt - Date.now())
    this.#seenHeartbeats.set(id, { heartbeat: expiresAt, silence: 0, allowedSilence })
    return false
  }

  #forgetAllBut(others: readonly WorkerRow[]): void {
    const ids = new Set(others.map(({ id }) => id))
    for (const id of this.#seenHeartbeats.keys()) if (!ids.has(id)) this.#seenHeartbeats.delete(id)
    this.#locks.retain(ids)
  }

  /** Call it when the messages of lost workers were requeued. */
  removeLocks(path: string, lost: readonly LostWorker[]): void {
    for (const { worker, gone } of lost) if (gone) this.#locks.sweep(path, worker.id)
  }

  /** Removes the files of workers that are no longer registered. */
  sweep(path: string, known: ReadonlySet<number>): void {
    this.#locks.sweepAll(path, known)
  }

  close(): void {
    this.#locks.close()
  }
}
