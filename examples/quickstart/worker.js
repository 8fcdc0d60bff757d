/** The worker: takes messages and runs their actors on threads, one per core, until it is stopped. */
import { runWorker } from 'dramatis'
import './actors.js'

await runWorker()
