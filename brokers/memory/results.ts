/** Results in memory. In a worker thread they are those of the main thread, which is called for each read. */
import { refuseUnknown } from '../../lib/checks.js'
import { BrokerClosed, ResultError } from '../../lib/errors.js'
import { mainThread, serveThreads } from '../../lib/main-thread.js'
import { ResultBackend, type ResultBackendOptions, type StoredResult } from '../../lib/results/backend.js'
import { type Clock, systemClock } from '../../lib/time.js'
import { keepProcessAlive } from './keep-process-alive.js'

export interface MemoryResultsOptions extends ResultBackendOptions {
  /**
   * The clock for times to live and waits: that of a MemoryBroker, for example, so that they move with it.
   * @default real time
   */
  clock?: Clock | undefined
}

interface Kept {
  readonly stored: StoredResult
  /** When it expires, in milliseconds since the epoch. */
  readonly ends: number
}

interface Wait {
  resolve(stored: StoredResult | undefined): void
  reject(error: Error): void
}

const service = 'memory-results'

/** How often expired results are removed, in milliseconds; until then they count as absent. */
const sweepEvery = 60_000

/**
 * Keeps results in the memory of this process. The MemoryBroker has one; create one to keep the results of another
 * broker in a test.
 */
export class MemoryResults extends ResultBackend {
  /** The one that threads read from: the last one created. */
  static #latest: MemoryResults | undefined

  static {
    serveThreads(service, (method, args) =>
      MemoryResults.#serve(method, args as [string, StoredResult & number, number]),
    )
  }

  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()
  readonly #waits = new Map<string, Set<Wait>>()
  #sweep: unknown
  #closed = false

  /** @throws {InvalidOption} */
  constructor(options: MemoryResultsOptions = {}) {
    super(options)
    refuseUnknown(options, ['namespace', 'clock'], 'MemoryResults')
    this.#clock = options.clock ?? systemClock
    MemoryResults.#latest = this
  }

  protected async put(key: string, stored: StoredResult, ttl: number): Promise<void> {
    const main = mainThread()
    if (main) return void (await main.call(service, 'put', [key, stored, ttl]))
    this.#kept.set(key, { stored, ends: this.#clock.now() + ttl })
    this.#sweep ??= this.#clock.setTimeout(() => this.#sweepOut(), sweepEvery)
    for (const wait of this.#waits.get(key) ?? []) wait.resolve(stored)
  }

  protected async peek(key: string): Promise<StoredResult | undefined> {
    const main = mainThread()
    if (main) return (await main.call(service, 'peek', [key])) as StoredResult | undefined
    return this.#look(key)
  }

  #look(key: string): StoredResult | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.ends > this.#clock.now() ? kept.stored : undefined
  }

  protected async wait(key: string, timeout: number): Promise<StoredResult | undefined> {
    const main = mainThread()
    if (main) return (await main.call(service, 'wait', [key, timeout])) as StoredResult | undefined
    if (this.#closed) throw new BrokerClosed()
    // It may have arrived since the first read. There is no pause between this read and the wait.
    return this.#look(key) ?? this.#await(key, timeout)
  }

  protected override async remove(key: string): Promise<void> {
    const main = mainThread()
    if (main) return void (await main.call(service, 'remove', [key]))
    this.#kept.delete(key)
  }

  #await(key: string, timeout: number): Promise<StoredResult | undefined> {
    const waits = this.#waits.get(key) ?? new Set()
    this.#waits.set(key, waits)
    let wait: Wait | undefined
    const answer = new Promise<StoredResult | undefined>((resolve, reject) => {
      wait = { resolve, reject }
      waits.add(wait)
    })
    const timer = this.#clock.setTimeout(() => wait?.resolve(undefined), timeout)
    return keepProcessAlive(answer).finally(() => {
      this.#clock.clearTimeout(timer)
      if (wait) waits.delete(wait)
      if (waits.size === 0 && this.#waits.get(key) === waits) this.#waits.delete(key)
    })
  }

  #sweepOut(): void {
    const now = this.#clock.now()
    for (const [key, { ends }] of this.#kept) if (ends <= now) this.#kept.delete(key)
    this.#sweep = this.#kept.size > 0 ? this.#clock.setTimeout(() => this.#sweepOut(), sweepEvery) : undefined
  }

  override async close(): Promise<void> {
    this.#closed = true
    this.#clock.clearTimeout(this.#sweep)
    for (const waits of this.#waits.values()) for (const wait of waits) wait.reject(new BrokerClosed())
  }

  /** The calls of threads. */
  static #serve(method: string, [key, second, ttl]: [string, StoredResult & number, number]): Promise<unknown> {
    const results = MemoryResults.#latest
    if (!results)
      throw new ResultError('The main thread keeps no results in memory: create MemoryResults there as well.')
    if (method === 'put') return results.put(key, second, ttl)
    if (method === 'remove') return results.remove(key)
    if (method === 'wait') return results.wait(key, second)
    return results.peek(key)
  }
}
