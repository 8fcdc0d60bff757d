/** How many messages of a queue a worker holds. */
import type { Broker } from '../broker.js'

export interface Prefetch {
  /** How many the consumer loop may hold, running ones included; of a batch only one counts. */
  readonly prefetch: number
  /** The same with all messages of each batch: a hint for brokers that push. */
  readonly unacked: number
}

/**
 * @param slots How many messages, or batches, the worker can run at once.
 * @param given The option of the worker.
 */
export function prefetchOf(broker: Broker, queueName: string, slots: number, given: number | undefined): Prefetch {
  const actors = [...broker.actors.values()].filter((actor) => actor.queueName === queueName)
  const largest = Math.max(1, ...actors.map(({ batch }) => batch?.size ?? 1))
  // Where there are only batches, the next one is ready when a slot becomes free. Ordinary messages would wait for it
  // behind those that run, although another worker may be idle.
  const next = actors.every(({ batch }) => batch) ? largest - 1 : 0
  return { prefetch: given ?? slots + next, unacked: (given ?? 2 * slots) * largest }
}
