/** An application that calls `runWorker()` on the main thread only; in the others it has nothing left to do after its imports. */
import { isMainThread } from 'node:worker_threads'
import { runWorker } from '../../../lib/index.js'
import './actors.js'

if (isMainThread) void runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
