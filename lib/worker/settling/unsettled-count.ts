/** How many messages of a worker aren't settled yet, and who waits for there to be none. */
import { getLogger } from '../../logger.js'
import { startTimer } from '../../time.js'

export class UnsettledCount {
  count = 0
  readonly #waiting = new Set<() => void>()

  /** One is settled, or never will be from here. */
  settled(): void {
    if (--this.count === 0 && this.#waiting.size > 0) for (const done of this.#waiting) done()
  }

  /** Says so, if there are any left at the end. */
  warnIfAny(): void {
    const { count } = this
    const text =
      'Messages could not be settled before the worker stopped; others get them once this worker counts as gone'
    if (count > 0) getLogger().warn({ count }, text)
  }

  /** Waits until there is none, `timeout` milliseconds at most. */
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
