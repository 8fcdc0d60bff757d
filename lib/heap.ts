/** A binary heap of items with a rank: the lowest comes first; among equals, the one inserted first. */
export class Heap<T> {
  #entries: { readonly item: T; readonly rank: number; readonly order: number }[] = []
  #order = 0

  get size(): number {
    return this.#entries.length
  }

  /** The first item. */
  peek(): T | undefined {
    return this.#entries[0]?.item
  }

  /** The rank of the first item; `Infinity` if it is empty. */
  peekRank(): number {
    return this.#entries[0]?.rank ?? Number.POSITIVE_INFINITY
  }

  push(item: T, rank: number): void {
    this.#entries.push({ item, rank, order: this.#order++ })
    this.#rise(this.#entries.length - 1)
  }

  /** Removes and returns the first item. */
  pop(): T | undefined {
    const entries = this.#entries
    const first = entries[0]
    const last = entries.pop()
    if (first && last && entries.length > 0) {
      entries[0] = last
      this.#sink(0)
    }
    return first?.item
  }

  /** The items, in no particular order. */
  items(): readonly T[] {
    return this.#entries.map(({ item }) => item)
  }

  clear(): void {
    this.#entries = []
  }

  /** Removes all items but those for which `keep` returns true. */
  sweep(keep: (item: T) => boolean): void {
    this.#entries = this.#entries.filter(({ item }) => keep(item))
    for (let index = (this.#entries.length >> 1) - 1; index >= 0; index--) this.#sink(index)
  }

  #rise(from: number): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#before(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #sink(from: number): void {
    let index = from
    for (;;) {
      const left = 2 * index + 1
      let first = index
      if (left < this.#entries.length && this.#before(left, first)) first = left
      if (left + 1 < this.#entries.length && this.#before(left + 1, first)) first = left + 1
      if (first === index) return
      this.#swap(index, first)
      index = first
    }
  }

  #before(one: number, other: number): boolean {
    const a = this.#entries[one]
    const b = this.#entries[other]
    if (!a || !b) return false
    return a.rank === b.rank ? a.order < b.order : a.rank < b.rank
  }

  #swap(one: number, other: number): void {
    const entries = this.#entries
    const kept = entries[one] as (typeof entries)[number]
    entries[one] = entries[other] as (typeof entries)[number]
    entries[other] = kept
  }
}
