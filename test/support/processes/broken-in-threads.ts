/** A worker whose script loads in the main thread only. */
import { isMainThread } from 'node:worker_threads'
import { runWorker } from '../../../lib/index.js'
import './actors.js'

if (!isMainThread) throw new TypeError('only for the main thread')
await runWorker({ threads: 2 })
