/** What is known of a lost thread, and of those like it: who may have done it, and how soon it is replaced. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Interrupt, Shutdown, TimeLimitExceeded, WorkerThreadLost } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { backoff } from '../../time.js'
import type { Run } from './run.js'

/** How soon a thread is replaced that ended no message: the first at once, the next after half a second, up to a minute. */
const replacement = { factor: 500, max: 60_000 }

/** How often it is tried to replace a lost thread whose script fails before it calls `runWorker()`. */
export const maxAttempts = 6

/** A pause before the next attempt at a thread that could not be started. It keeps no process alive. */
export async function pauseAfter(attempt: number): Promise<void> {
  await pause(backoff(attempt - 1, replacement), undefined, { ref: false })
}

/** Threads that were lost in a row and hadn't ended a single message. */
export class UnproductiveThreads {
  #count = 0

  /** A thread was lost. One that dies of itself, time and again, is given time before it is replaced. */
  async rest(wasProductive: boolean, signal: AbortSignal): Promise<void> {
    this.#count = wasProductive ? 0 : this.#count + 1
    if (this.#count <= 1) return
    const delay = backoff(this.#count - 2, replacement)
    getLogger().warn({ delay }, 'Worker threads die before they ended a message; the next one starts after a rest')
    await pause(delay, undefined, { signal, ref: false })
  }
}

/** Whether a run may have taken its thread along, where nobody is known to have. */
export function isSuspect(run: Run): boolean {
  const { interruption } = run.execution
  if (!run.thread.hasBegun(run)) return false
  return !interruption || (interruption instanceof TimeLimitExceeded && !run.abortReceived)
}

/**
 * What a run that was interrupted ends with, its thread being lost. Of a time limit it must have heard: it may have been
 * another one's fault.
 */
export function finalInterruption({ execution, abortReceived: heard }: Run): Interrupt | undefined {
  const { interruption } = execution
  if (interruption instanceof Shutdown) return undefined
  return heard || !(interruption instanceof TimeLimitExceeded) ? interruption : undefined
}

export function asLost(cause: Error): WorkerThreadLost {
  return new WorkerThreadLost(`The thread that ran the message died: ${cause.message}`, { cause })
}

/** Why a thread ended by itself. */
export function exitError(code: number, cause: Error | undefined): WorkerThreadLost {
  const why =
    (cause as { code?: string } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'it ran out of memory (see maxMemory)'
      : (cause?.message ?? `it exited with code ${code}`)
  return new WorkerThreadLost(`The thread that ran the message died: ${why}.`, cause && { cause })
}
