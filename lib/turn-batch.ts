/**
 * Batches the items of one turn of the event loop: sends become one transaction or one script call, acknowledgements
 * another. The items of a batch share its promise, and so succeed or fail together.
 */
export class TurnBatch<T> {
  readonly #run: (items: T[]) => Promise<void> | void
  readonly #most: number
  readonly #eager: boolean
  readonly #weigh: ((item: T) => number) | undefined
  #weight = 0
  #items: T[] = []
  #promise: Promise<void> | undefined
  readonly #running = new Set<Promise<void>>()

  /**
   * @param run Processes a batch.
   * @param options.most The maximum number of items of a batch, or their maximum total weight.
   * @param options.weigh The weight of an item. @default 1
   * @param options.eager Whether a batch is run before the turn ends, as soon as no more code is ready to run, if no
   * other batch is running: then a single item loses no time.
   */
  constructor(
    run: (items: T[]) => Promise<void> | void,
    {
      most = Number.POSITIVE_INFINITY,
      weigh,
      eager = false,
    }: { most?: number; weigh?: (item: T) => number; eager?: boolean } = {},
  ) {
    this.#run = run
    this.#most = most
    this.#weigh = weigh
    this.#eager = eager
  }

  /** Adds an item to the batch of this turn; the promise settles with the batch. */
  add(item: T): Promise<void> {
    const weight = this.#weigh ? this.#weigh(item) : 1
    if (this.#weight + weight > this.#most) this.#flush()
    this.#promise ??= this.#open()
    const promise = this.#promise
    this.#items.push(item)
    this.#weight += weight
    if (this.#weight >= this.#most) this.#flush()
    return promise
  }

  /** Resolves when every batch that was begun has finished. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  #flush: () => void = () => {}

  #open(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      const flush = (): void => {
        if (this.#flush !== flush) return
        const items = this.#items
        this.#items = []
        this.#weight = 0
        this.#promise = undefined
        this.#flush = () => {}
        try {
          const running = this.#run(items)
          if (running) running.then(resolve, reject)
          else resolve()
        } catch (error) {
          reject(error)
        }
      }
      this.#flush = flush
      if (this.#eager && this.#running.size === 0) process.nextTick(flush)
      else setImmediate(flush)
    })
    this.#running.add(promise)
    const done = (): void => void this.#running.delete(promise)
    promise.then(done, done)
    return promise
  }
}
