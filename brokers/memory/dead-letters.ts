/** The dead letters of one queue, oldest first, and their expiry. */
import { badCursor } from '../../lib/broker.js'
import type { DeadLetter, DeadLetterPage, DeadLetterReason } from '../../lib/consumer.js'
import type { Clock } from '../../lib/time.js'
import type { StoredMessage } from './stored-message.js'

interface Kept {
  readonly letter: DeadLetter
  readonly stored: StoredMessage
}

/** Ids increase over all queues: they order the letters, and identify one on its broker. */
let lastId = 0

export class DeadLetters {
  readonly #kept = new Map<number, Kept>()
  #timer: unknown

  constructor(
    readonly queueName: string,
    readonly clock: Clock,
    readonly ttl: number,
  ) {}

  get size(): number {
    this.#expire()
    return this.#kept.size
  }

  add(stored: StoredMessage, { reason, traceback }: DeadLetterReason): void {
    const id = ++lastId
    const { queueName } = this
    const letter = { id: String(id), queueName, body: stored.body, reason, traceback, deadAt: this.clock.now() }
    this.#kept.set(id, { letter, stored })
    if (this.#timer === undefined) this.#schedule()
  }

  page(limit: number, cursor: string | undefined): DeadLetterPage {
    if (cursor !== undefined && !/^\d+$/.test(cursor)) throw badCursor(cursor)
    this.#expire()
    const after = Number(cursor ?? 0)
    const letters: DeadLetter[] = []
    for (const [id, { letter }] of this.#kept) {
      if (id <= after) continue
      if (letters.length === limit) return { letters, cursor: letters.at(-1)?.id }
      letters.push(letter)
    }
    return { letters }
  }

  /** A letter, if it exists. */
  find(id: string): StoredMessage | undefined {
    this.#expire()
    return this.#kept.get(Number(id))?.stored
  }

  /** Removes a letter, if it exists. */
  remove(id: string): StoredMessage | undefined {
    this.#expire()
    const kept = this.#kept.get(Number(id))
    this.#kept.delete(Number(id))
    return kept?.stored
  }

  clear(): void {
    this.#kept.clear()
    this.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** The oldest come first, so checking the first is enough. */
  #expire(): void {
    const last = this.clock.now() - this.ttl
    for (const [id, { letter }] of this.#kept) {
      if (letter.deadAt > last) return
      this.#kept.delete(id)
    }
  }

  #schedule(): void {
    const [oldest] = this.#kept.values()
    if (!oldest) {
      this.#timer = undefined
      return
    }
    this.#timer = this.clock.setTimeout(
      () => {
        this.#expire()
        this.#schedule()
      },
      oldest.letter.deadAt + this.ttl - this.clock.now(),
    )
  }
}
