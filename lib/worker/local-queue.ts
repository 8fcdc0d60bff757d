/**
 * The messages that a worker has fetched and not started yet: highest priority first, then oldest first.
 */

/** A first-in, first-out list that removes its head without moving the rest. */
class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    return item
  }
}

export class LocalQueue<T> {
  readonly #fifos = Array.from({ length: 10 }, () => new Fifo<T>())
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param priority 0 to 9. Numbers outside are clamped; anything else counts as 0. */
  push(item: T, priority: number): void {
    ;(this.#fifos[Math.min(9, Math.max(0, priority | 0))] as Fifo<T>).push(item)
    this.#size++
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    for (let priority = 9; ; priority--) {
      const fifo = this.#fifos[priority] as Fifo<T>
      if (fifo.size === 0) continue
      this.#size--
      return fifo.shift()
    }
  }

  /** Empties it, in order. */
  *drain(): Generator<T> {
    while (this.#size > 0) yield this.shift() as T
  }
}
