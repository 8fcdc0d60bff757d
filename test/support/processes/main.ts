/** What a user's `worker.js` is: the actors, and `runWorker()`; with the options that the test gives. */
import { runWorker } from '../../../lib/index.js'
import './actors.js'

await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
