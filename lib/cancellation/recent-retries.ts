/**
 * The messages of this process that were retried in the last second. One that is marked at the moment when it fails is
 * stored as a retry, which may have a long delay: then it is made due, so that it ends now.
 */
import type { Message } from '../message.js'

/** How long a message is kept, in milliseconds; up to twice as long. */
const period = 500

export class RecentRetries {
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
