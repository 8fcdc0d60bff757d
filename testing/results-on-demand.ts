/** Results in memory: waiting for one runs messages, as nothing else would. */
import { MemoryResults, type MemoryResultsOptions } from '../brokers/memory/index.js'
import type { StoredResult } from '../lib/results/backend.js'

export class ResultsOnDemand extends MemoryResults {
  readonly #during: <T>(wait: () => Promise<T>) => Promise<T>

  /** @param during Runs messages until a wait has ended. */
  constructor(options: MemoryResultsOptions, during: <T>(wait: () => Promise<T>) => Promise<T>) {
    super(options)
    this.#during = during
  }

  protected override wait(key: string, timeout: number): Promise<StoredResult | undefined> {
    return this.#during(() => super.wait(key, timeout))
  }
}
