/** Runs tasks that have a key in common one after the other, in the order in which they came. */
import { BrokerError } from '../errors.js'

export class InOrder {
  /** For each key, the task that came last. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** A task fails with those that it waits for if the broker couldn't be reached: it must not try for as long again. */
  run<T>(keys: readonly string[], task: () => Promise<T>): Promise<T> {
    if (keys.length === 0) return task()
    const earlier = new Set(keys.flatMap((key) => this.#last.get(key) ?? []))
    const running = earlier.size === 0 ? task() : Promise.all([...earlier].map(untilDone)).then(task)
    for (const key of keys) this.#last.set(key, running)
    const end = (): void => {
      for (const key of keys) if (this.#last.get(key) === running) this.#last.delete(key)
    }
    running.then(end, end)
    return running
  }
}

async function untilDone(task: Promise<unknown>): Promise<void> {
  try {
    await task
  } catch (error) {
    if (error instanceof BrokerError) throw error
  }
}
