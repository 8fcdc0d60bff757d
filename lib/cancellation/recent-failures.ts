/**
 * The messages of this process that failed in the last second. One that is marked at that moment may be stored as a retry
 * with a long delay, and a failure may cancel others that are delayed: what is marked is made due then, so that it ends now.
 */
import type { Message } from '../message.js'

/** How long a message is kept, in milliseconds; up to twice as long. */
const period = 500

export class RecentFailures {
  #newer: Message[] = []
  #older: Message[] = []
  #since = 0

  add(message: Message): void {
    const age = performance.now() - this.#since
    if (age > period) {
      this.#older = age > 2 * period ? [] : this.#newer
      this.#newer = []
      this.#since += age
    }
    this.#newer.push(message)
  }

  get messages(): readonly Message[] {
    return [...this.#older, ...this.#newer]
  }
}
