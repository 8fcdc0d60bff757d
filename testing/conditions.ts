/** Waits for conditions, which are looked at again whenever something happened: nothing polls. */
import { BrokerClosed } from '../lib/errors.js'
import { startTimer } from '../lib/time.js'

interface Waiting {
  /** Looks again, and ends the wait if the condition holds. */
  look(): void
  fail(error: Error): void
}

export class Conditions {
  readonly #waiting = new Set<Waiting>()
  #closed = false

  /** Something happened: every condition is looked at. */
  changed(): void {
    for (const one of [...this.#waiting]) one.look()
  }

  /**
   * Waits until `find` returns a value.
   *
   * @param timeout How long, in milliseconds of real time: a clock that a test moves has no effect.
   * @returns That value, or `undefined` after the timeout.
   * @throws {BrokerClosed} if the broker is closed meanwhile.
   */
  until<T>(find: () => T | undefined, timeout = Number.POSITIVE_INFINITY): Promise<T | undefined> {
    const found = find()
    if (found !== undefined) return Promise.resolve(found)
    if (this.#closed) return Promise.reject(new BrokerClosed())
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(waiting)
      }
      const waiting: Waiting = {
        look: () => {
          const value = find()
          if (value === undefined) return
          end()
          resolve(value)
        },
        fail: (error) => {
          end()
          reject(error)
        },
      }
      const giveUp = (): void => {
        end()
        resolve(undefined)
      }
      const timer = timeout === Number.POSITIVE_INFINITY ? undefined : startTimer(giveUp, timeout)
      this.#waiting.add(waiting)
    })
  }

  /** Ends every wait. */
  close(): void {
    this.#closed = true
    for (const one of [...this.#waiting]) one.fail(new BrokerClosed())
  }
}
