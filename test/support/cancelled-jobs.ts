/** What tests of cancellation have in common: jobs that wait for their signal, and the marks that are left. */
import type { Actor } from '../../lib/actor-contract.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import type { Broker } from '../../lib/broker.js'
import { current } from '../../lib/current.js'
import type { Stage } from './memory.js'

/** The reason of the signal, once it aborts. */
export function aborted(): Promise<unknown> {
  const { signal } = current()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }))
}

export async function marks(broker: Broker): Promise<readonly string[]> {
  return (await broker.state?.readSet('cancellations')) ?? []
}

/** Options of actors whose results are stored, and that retry at once. */
export const stored = { storeResults: true, maxRetries: 3, minBackoff: 1, maxBackoff: 1 } as const

/** A job that notes its name; the one called "running" calls `onStart` and runs until it is cancelled. */
export function noteOrRun(
  { actor }: Pick<Stage, 'actor'>,
  runs: string[],
  onStart: () => void,
  options: ActorOptions = stored,
): Actor<[name: string], void> {
  return actor(
    async (name: string): Promise<void> => {
      runs.push(name)
      if (name !== 'running') return
      onStart()
      throw await aborted()
    },
    { actorName: 'job', ...options },
  )
}
