/** A first-in, first-out list of any length: `Array.shift` moves every element of a large array. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.clear()
    else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      // Half of the array is unused: moving the rest down costs one step per item that was removed.
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Removes an item, if it is there. Takes longer the longer the list is. */
  remove(item: T): boolean {
    const index = this.#items.indexOf(item, this.#head)
    if (index >= 0) this.#items.splice(index, 1)
    return index >= 0
  }

  /** The items in order. */
  items(): readonly T[] {
    return this.#items.slice(this.#head) as T[]
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }
}
