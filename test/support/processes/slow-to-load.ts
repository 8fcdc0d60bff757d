/** A worker whose threads are still loading when it is stopped. */
import { isMainThread } from 'node:worker_threads'
import { runWorker } from '../../../lib/index.js'
import './actors.js'

if (!isMainThread) {
  console.log('loading')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
}
await runWorker({ threads: 1 })
