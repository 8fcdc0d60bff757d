/** The open watches of a state, which end with it. */
export class OpenWatches {
  /** The listeners, by the functions that end their watches. */
  readonly #listeners = new Map<() => void, () => void>()

  /** Returns a function that ends the watch. @param stop Ends it in the store. */
  add(stop: () => void, listener: () => void): () => void {
    this.#listeners.set(stop, listener)
    return () => {
      this.#listeners.delete(stop)
      stop()
    }
  }

  /** Ends all, and calls each listener a last time: whoever waits learns that the state is closed. */
  end(): void {
    for (const [stop, listener] of this.#listeners) {
      stop()
      listener()
    }
    this.#listeners.clear()
  }
}
