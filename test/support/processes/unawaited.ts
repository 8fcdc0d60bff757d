/** An application whose start takes time and isn't awaited: the actors and the worker exist only at its end. */
import { isMainThread } from 'node:worker_threads'
import { actor, runWorker } from '../../../lib/index.js'

let connected = false

/** The resource that its actors need. */
actor(() => connected, { actorName: 'isConnected', storeResults: true, maxRetries: 0 })

async function main(): Promise<void> {
  // Threads take longer than the main thread.
  await new Promise((resolve) => setTimeout(resolve, isMainThread ? 10 : 400))
  connected = true
  await import('./actors.js')
  await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
}

void main()
