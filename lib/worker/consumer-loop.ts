/**
 * Keeps one queue's messages coming: takes as many as the worker has room for, hands them over, and again. When the
 * broker can't be reached it waits, longer each time, and goes on. It never runs a message.
 */
import pRetry, { AbortError } from 'p-retry'
import type { Consumer, Delivery } from '../consumer.js'
import { BrokerClosed, BrokerError, DramatisError } from '../errors.js'
import { toError } from '../failure.js'
import { RepeatedFailure } from './repeated-failure.js'

export interface ConsumerLoopOptions {
  /** How many messages it may hold, running ones included; at least so many where that is `adaptive`. */
  readonly prefetch: number
  /** How many messages the worker can run at once. */
  readonly slots: number
  /** Whether `prefetch` may grow while messages take little time. */
  readonly adaptive: boolean
  /** Whether there is nothing to take any more, nor ever will be: the broker is closed. */
  readonly isOver: () => boolean
  /** Takes over what was taken. */
  readonly accept: (delivery: Delivery) => void
  /** How often it is said again that nothing can be taken, in milliseconds. @default 60000 */
  readonly reminder?: number
}

/** For how many milliseconds' work it may hold messages, and over how many of them that is measured. */
const prefetchWindow = 50
const measureInterval = 10

/** What is no sign of a backlog. */
const fewDeliveries = 8

/** However fast messages are, no more than these are held. */
const maxHeld = 4000

export class ConsumerLoop {
  /** Messages taken and not settled yet. */
  held = 0
  #stopping = new AbortController()
  #wakeUp: (() => void) | undefined
  #done: Promise<void> | undefined
  #settledSince = 0
  #measuredAt = performance.now()
  #prefetch: number
  readonly #failure: RepeatedFailure
  /** It takes more when it holds this many or fewer. */
  #refillAt = 0

  constructor(
    readonly consumer: Consumer,
    private readonly options: ConsumerLoopOptions,
  ) {
    this.#prefetch = options.prefetch
    this.#hold(options.prefetch)
    const { queueName } = consumer
    const texts = {
      failing: `Can't take messages from "${queueName}"`,
      over: `Taking messages from "${queueName}" again`,
    }
    this.#failure = new RepeatedFailure(texts, { queueName }, options.reminder)
  }

  /** Half of what it may hold is kept in store, as far as that leaves nothing idle. */
  #hold(prefetch: number): void {
    this.#prefetch = prefetch
    this.#refillAt = Math.max(Math.floor(prefetch / 2), Math.min(prefetch - 1, this.options.slots))
  }

  start(): void {
    this.#done = this.#run()
  }

  /** Called when a message is settled, and so no longer held. */
  release(): void {
    this.held--
    this.#settledSince++
    if (this.#wakeUp && this.held <= this.#refillAt) this.#wakeUp()
  }

  /** So many of those that it holds don't count for now. */
  exclude(more: number): void {
    this.held -= more
    if (this.#wakeUp && this.held <= this.#refillAt) this.#wakeUp()
  }

  /** Takes no more, but what is being taken now. */
  halt(): void {
    this.#stopping.abort()
    this.#wakeUp?.()
  }

  /** Ends. What is held remains to be settled. */
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
      // Many are behind which there is more: it is asked for before these are run, so that the broker is at work while
      // the actors are. A few are all there was, and are run at once.
      next = deliveries.length > fewDeliveries ? this.#takeMore() : undefined
      for (const delivery of deliveries) this.options.accept(delivery)
      // A broker that always has more must not keep the event loop from its other work.
      await new Promise(setImmediate)
    }
    // What came while it was being stopped is given back.
    for (const delivery of (await next) ?? []) {
      this.held++
      this.options.accept(delivery)
    }
  }

  /** Takes as many as there is room for, unless there is enough in store. */
  #takeMore(): Promise<readonly Delivery[]> | undefined {
    if (this.#stopping.signal.aborted || this.held > this.#refillAt) return undefined
    const room = this.#room()
    // It may be less than nothing, after a quick spell.
    return room > 0 ? this.#take(room) : undefined
  }

  /**
   * How many to take. What is held waits behind what runs, though another worker may be idle: so it is no more than is
   * likely to start within 50 ms, which is what was settled in the last 50 ms. A worker whose messages take no time
   * comes to hold very many, or it would spend its time fetching; one whose slots are full of long ones holds nothing else.
   */
  #room(): number {
    const elapsed = performance.now() - this.#measuredAt
    if (this.options.adaptive && elapsed >= measureInterval) {
      const lately = Math.min(maxHeld, Math.round((this.#settledSince * prefetchWindow) / elapsed))
      // Settlements come in bursts: it grows at once, and shrinks by halves, unless there was none for as long.
      const least = elapsed < prefetchWindow ? Math.floor(this.#prefetch / 2) : 0
      this.#hold(Math.max(this.options.prefetch + lately, least))
      this.#settledSince = 0
      this.#measuredAt = performance.now()
    }
    return this.#prefetch - this.held
  }

  async #take(limit: number): Promise<readonly Delivery[]> {
    try {
      return await this.consumer.take(limit)
    } catch (error) {
      return this.#takeAgain(limit, error)
    }
  }

  /** The broker is away, or at fault: whatever it is, a worker doesn't give up its queue. */
  async #takeAgain(limit: number, first: unknown): Promise<readonly Delivery[]> {
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
 * Does something with the broker until it works: at once, then after 50 ms, then after longer waits up to 5 s. Ends
 * only when the signal aborts, or when trying again is no use.
 */
export async function retryUntilDone<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  isPermanent = isFinal,
): Promise<T> {
  return pRetry(
    async () => {
      try {
        return await attempt()
      } catch (error) {
        if (isPermanent(error)) throw new AbortError(error as Error)
        // p-retry takes a TypeError for a mistake that another attempt can't mend; from a driver it needn't be. The same
        // for what is no Error at all.
        throw error instanceof Error && !(error instanceof TypeError)
          ? error
          : new BrokerError(toError(error).message, { cause: error })
      }
    },
    { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 5000, randomize: true, signal },
  )
}

/** Whether trying again is no use: the broker is closed, or the error isn't the broker's (a message too large stays too large). */
export function isFinal(error: unknown): boolean {
  return error instanceof BrokerClosed || (error instanceof DramatisError && !(error instanceof BrokerError))
}
