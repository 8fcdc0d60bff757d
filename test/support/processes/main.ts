/** Like a user's `worker.js`: the actors, and `runWorker()` with the options of the test. */
import { runWorker } from '../../../lib/index.js'
import './actors.js'

await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
