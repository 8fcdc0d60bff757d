import { runWorker } from 'dramatis'
import '../actors.js'

await runWorker({ threads: 2 })
