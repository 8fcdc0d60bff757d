/** A module that is loaded in threads before all of its actors are declared: one is declared late, one never. */
import { isMainThread } from 'node:worker_threads'
import { actor, runWorker } from '../../../lib/index.js'

export const early = actor(() => 'early', { actorName: 'early', storeResults: true, maxRetries: 0 })

function declareLate(): void {
  actor(() => 'late', { actorName: 'late', storeResults: true, maxRetries: 0 })
}

if (isMainThread) {
  declareLate()
  actor(() => 'never', { actorName: 'mainOnly', storeResults: true, maxRetries: 0 })
  // Loaded as a module of actors, not as the script that calls runWorker().
  void runWorker({ ...JSON.parse(process.env.WORKER_OPTIONS ?? '{}'), modules: [`${import.meta.url}?actors`] })
} else {
  setTimeout(declareLate, 300)
}
