/**
 * The actors that a thread turned out not to have though the main thread has them: messages for them go to other
 * threads. Now and then it is tried again, since a module may declare them late.
 */
import { backoff } from '../../time.js'

/** When it is tried again: after a second or two, up to a minute. */
const again = { factor: 1000, max: 60_000 }

interface Missing {
  times: number
  until: number
}

export class MissingActors {
  /** Made when the first is missing, which for nearly every thread is never. */
  #actors: Map<string, Missing> | undefined

  /** Notes that an actor isn't there. Returns whether that is news. */
  add(actorName: string): boolean {
    this.#actors ??= new Map()
    const known = this.#actors.get(actorName)
    const now = performance.now()
    // Several may have been on their way at once.
    if (known && now < known.until) return false
    const times = known ? known.times + 1 : 0
    this.#actors.set(actorName, { times, until: now + backoff(times, again) })
    return known === undefined
  }

  /** Whether a message for that actor had better not be given to the thread now. */
  has(actorName: string): boolean {
    const known = this.#actors?.get(actorName)
    return known !== undefined && performance.now() < known.until
  }

  /** For how many milliseconds yet. */
  remaining(actorName: string): number {
    return Math.max(0, (this.#actors?.get(actorName)?.until ?? 0) - performance.now())
  }
}
