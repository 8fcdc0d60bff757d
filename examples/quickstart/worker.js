/** The worker: takes messages and runs their actors on threads, one a core, until it is told to stop. */
import { runWorker } from 'dramatis'
import './actors.js'

await runWorker()
