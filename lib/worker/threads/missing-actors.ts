/**
 * Actors that the main thread has and a thread lacks: their messages go to other threads. The thread is tried again at
 * intervals, since a module may declare an actor late.
 */
import { backoff } from '../../time.js'

/** The backoff of these attempts: from a second or two up to a minute. */
const retryBackoff = { factor: 1000, max: 60_000 }

interface MissingActor {
  times: number
  until: number
}

export class MissingActors {
  /** Created with the first missing actor: nearly no thread lacks one. */
  #actors: Map<string, MissingActor> | undefined

  /** Records that an actor is missing. Returns whether that is news. */
  add(actorName: string): boolean {
    this.#actors ??= new Map()
    const known = this.#actors.get(actorName)
    const now = performance.now()
    // Several messages may have been dispatched before the first reply.
    if (known && now < known.until) return false
    const times = known ? known.times + 1 : 0
    this.#actors.set(actorName, { times, until: now + backoff(times, retryBackoff) })
    return known === undefined
  }

  /** Whether messages for that actor should not be dispatched to the thread now. */
  has(actorName: string): boolean {
    const known = this.#actors?.get(actorName)
    return known !== undefined && performance.now() < known.until
  }

  /** In how many milliseconds the thread is tried again. */
  remaining(actorName: string): number {
    return Math.max(0, (this.#actors?.get(actorName)?.until ?? 0) - performance.now())
  }
}
