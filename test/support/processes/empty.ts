/** A worker that forgot to import its actors. */
import { runWorker } from '../../../lib/index.js'

await runWorker({ threads: 1 })
