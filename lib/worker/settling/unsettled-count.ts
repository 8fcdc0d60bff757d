/** Counts the messages of a worker that aren't settled yet, and waits until there are none. */
import { getLogger } from '../../logger.js'
import { startTimer } from '../../time.js'

export class UnsettledCount {
  count = 0
  readonly #waiting = new Set<() => void>()

  /** A message is settled, or can't be settled by this worker any more. */
  settled(): void {
    if (--this.count === 0 && this.#waiting.size > 0) for (const done of this.#waiting) done()
  }

  /** Logs a warning if any are left at the end. */
  warnIfAny(): void {
    const { count } = this
    const text =
      'Messages could not be settled before the worker stopped; they will be redelivered once this worker counts as lost'
    if (count > 0) getLogger().warn({ count }, text)
  }

  /** Resolves when there are none, or after `timeout` milliseconds. */
  async waitForNone(timeout = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.count === 0 || timeout <= 0) return
    await new Promise<void>((resolve) => {
      const timer = timeout === Number.POSITIVE_INFINITY ? undefined : startTimer(() => done(), timeout)
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(done)
        resolve()
      }
      this.#waiting.add(done)
    })
  }
}
