/**
 * Fetches the messages of one queue: as many as the worker has room for, again and again. While the broker can't be
 * reached it retries with backoff. It never runs a message.
 */
import pRetry, { AbortError } from 'p-retry'
import type { Consumer, Delivery } from '../consumer.js'
import { BrokerClosed, BrokerError, DramatisError } from '../errors.js'
import { toError } from '../failure.js'
import { RepeatedFailure } from './repeated-failure.js'

export interface ConsumerLoopOptions {
  /** How many messages it may hold, running ones included; the minimum if `adaptive`. */
  readonly prefetch: number
  /** How many messages the worker can run at once. */
  readonly slots: number
  /** Whether `prefetch` may grow while messages are short. */
  readonly adaptive: boolean
  /** Whether the broker is closed, so that nothing will ever arrive. */
  readonly isOver: () => boolean
  /** Receives each delivery. */
  readonly accept: (delivery: Delivery) => void
  /** How often a lasting failure is logged again, in milliseconds. @default 60000 */
  readonly reminder?: number
}

/** How many milliseconds of work it may prefetch, and the minimum time over which the rate is measured. */
const prefetchWindow = 50
const measureInterval = 10

/** A batch of up to this many is no sign of a backlog. */
const fewDeliveries = 8

/** The most messages it holds, however fast they are. */
const maxHeld = 4000

export class ConsumerLoop {
  /** Messages fetched and not settled yet. */
  held = 0
  #stopping = new AbortController()
  #wakeUp: (() => void) | undefined
  #done: Promise<void> | undefined
  #settledSince = 0
  #measuredAt = performance.now()
  #prefetch: number
  readonly #failure: RepeatedFailure
  /** It fetches more when it holds this many or fewer. */
  #refillAt = 0

  constructor(
    readonly consumer: Consumer,
    private readonly options: ConsumerLoopOptions,
  ) {
    this.#prefetch = options.prefetch
    this.#setPrefetch(options.prefetch)
    const { queueName } = consumer
    const texts = {
      failing: `Can't take messages from "${queueName}"`,
      recovered: `Taking messages from "${queueName}" again`,
    }
    this.#failure = new RepeatedFailure(texts, { queueName }, options.reminder)
  }

  /** It refills at half of what it may hold, but before a slot would be idle. */
  #setPrefetch(prefetch: number): void {
    this.#prefetch = prefetch
    this.#refillAt = Math.max(Math.floor(prefetch / 2), Math.min(prefetch - 1, this.options.slots))
  }

  start(): void {
    this.#done = this.#run()
  }

  /** Called when a message is settled, so that it is no longer held. */
  release(): void {
    this.held--
    this.#settledSince++
    if (this.#wakeUp && this.held <= this.#refillAt) this.#wakeUp()
  }

  /** Excludes `more` of the held messages from the count for now. */
  exclude(more: number): void {
    this.held -= more
    if (this.#wakeUp && this.held <= this.#refillAt) this.#wakeUp()
  }

  /** Stops fetching. A fetch that is under way is completed. */
  halt(): void {
    this.#stopping.abort()
    this.#wakeUp?.()
  }

  /** Stops the loop. What it holds must still be settled. */
  async stop(): Promise<void> {
    this.halt()
    await this.consumer.close()
    await this.#done
  }

  async #run(): Promise<void> {
    let next: Promise<readonly Delivery[]> | undefined
    while (!this.#stopping.signal.aborted) {
      next ??= this.#takeMore()
      if (!next) {
        await new Promise<void>((resolve) => {
          this.#wakeUp = resolve
        })
        this.#wakeUp = undefined
        continue
      }
      const deliveries = await next
      if (deliveries.length === 0 && this.options.isOver()) return
      this.held += deliveries.length
      // A large batch means a backlog: the next fetch is sent before these run, so that the broker works at the same time.
      // A small batch was all there was, and runs immediately.
      next = deliveries.length > fewDeliveries ? this.#takeMore() : undefined
      for (const delivery of deliveries) this.options.accept(delivery)
      // A broker that always has more must not starve the event loop.
      await new Promise(setImmediate)
    }
    // What arrives while it stops is requeued by the worker.
    for (const delivery of (await next) ?? []) {
      this.held++
      this.options.accept(delivery)
    }
  }

  /** Fetches as many as there is room for, unless enough are held. */
  #takeMore(): Promise<readonly Delivery[]> | undefined {
    if (this.#stopping.signal.aborted || this.held > this.#refillAt) return undefined
    const room = this.#room()
    // Negative when the limit has just shrunk.
    return room > 0 ? this.#take(room) : undefined
  }

  /**
   * How many to fetch. A prefetched message waits behind the running ones although another worker may be idle. So the
   * worker prefetches only what is likely to start within 50 ms: as many as were settled in the last 50 ms. With very
   * short messages that is a lot, which saves fetches; with long ones it is nothing beyond the slots.
   */
  #room(): number {
    const elapsed = performance.now() - this.#measuredAt
    if (this.options.adaptive && elapsed >= measureInterval) {
      const settledLately = Math.min(maxHeld, Math.round((this.#settledSince * prefetchWindow) / elapsed))
      // Settlements come in bursts: the limit grows at once, but shrinks by half at most, unless the window was empty.
      const minPrefetch = elapsed < prefetchWindow ? Math.floor(this.#prefetch / 2) : 0
      this.#setPrefetch(Math.max(this.options.prefetch + settledLately, minPrefetch))
      this.#settledSince = 0
      this.#measuredAt = performance.now()
    }
    return this.#prefetch - this.held
  }

  async #take(limit: number): Promise<readonly Delivery[]> {
    try {
      return await this.consumer.take(limit)
    } catch (error) {
      return this.#retryTake(limit, error)
    }
  }

  /** Retries until the broker works again: whatever the error is, a worker keeps consuming its queue. */
  async #retryTake(limit: number, first: unknown): Promise<readonly Delivery[]> {
    const { signal } = this.#stopping
    if (first instanceof BrokerClosed) this.#stopping.abort()
    if (signal.aborted) return []
    this.#failure.failed(first)
    const take = async (): Promise<readonly Delivery[]> => {
      try {
        return await this.consumer.take(limit)
      } catch (error) {
        if (!signal.aborted) this.#failure.failed(error)
        throw error
      }
    }
    try {
      const deliveries = await retryUntilDone(take, signal, (error) => error instanceof BrokerClosed)
      this.#failure.recovered()
      return deliveries
    } catch {
      this.#stopping.abort()
      return []
    }
  }
}

/**
 * Retries an operation until it succeeds, with backoff from 50 ms to 5 s. Gives up only when the signal aborts, or when
 * the error is permanent.
 */
export async function retryUntilDone<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  isPermanent = isPermanentFailure,
): Promise<T> {
  return pRetry(
    async () => {
      try {
        return await attempt()
      } catch (error) {
        if (isPermanent(error)) throw new AbortError(error as Error)
        // p-retry doesn't retry a TypeError, nor what is no Error. From a driver either may be temporary.
        throw error instanceof Error && !(error instanceof TypeError)
          ? error
          : new BrokerError(toError(error).message, { cause: error })
      }
    },
    { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 5000, randomize: true, signal },
  )
}

/** Whether retrying is pointless: the broker is closed, or the error isn't the broker's (a message stays too large). */
export function isPermanentFailure(error: unknown): boolean {
  return error instanceof BrokerClosed || (error instanceof DramatisError && !(error instanceof BrokerError))
}
