/** Lost threads: which messages may be the cause, and when a thread is replaced. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Interrupt, Shutdown, TimeLimitExceeded } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { backoff } from '../../time.js'
import type { Run } from './run.js'

/**
 * The backoff of replacements for threads that finished no message: none at first, then half a second up to a minute.
 */
const replacementBackoff = { factor: 500, max: 60_000 }

/** How often a lost thread is replaced while its script fails before it calls `runWorker()`. */
export const maxAttempts = 6

/** Pauses before the next attempt to start a thread. Doesn't keep the process alive. */
export async function pauseAfter(attempt: number): Promise<void> {
  await pause(backoff(attempt - 1, replacementBackoff), undefined, { ref: false })
}

/** Counts threads lost in a row without having finished a single message. */
export class UnproductiveThreads {
  #count = 0

  /** A thread was lost. If threads keep failing, pauses before the next one. */
  async pauseBeforeReplacement(wasProductive: boolean, signal: AbortSignal): Promise<void> {
    this.#count = wasProductive ? 0 : this.#count + 1
    if (this.#count <= 1) return
    const delay = backoff(this.#count - 2, replacementBackoff)
    getLogger().warn(
      { delay },
      'Worker threads are lost before they finish a message; the next one starts after a pause',
    )
    await pause(delay, undefined, { signal, ref: false })
  }
}

/** Whether a run may be the cause of a lost thread, if the cause is unknown. */
export function isSuspect(run: Run): boolean {
  const { interruption } = run.execution
  if (!run.thread.hasStarted(run)) return false
  return !interruption || (interruption instanceof TimeLimitExceeded && !run.abortReceived)
}

/**
 * The interruption that a run on a lost thread ends with. A time limit only counts if the thread had received it:
 * otherwise another message may have blocked the thread.
 */
export function finalInterruption({ execution, abortReceived }: Run): Interrupt | undefined {
  const { interruption } = execution
  if (interruption instanceof Shutdown) return undefined
  return abortReceived || !(interruption instanceof TimeLimitExceeded) ? interruption : undefined
}
