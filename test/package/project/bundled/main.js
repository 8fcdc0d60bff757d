/** The entry of a CommonJS bundle, which can't await at its top level. */
import { runWorker } from 'dramatis'
import '../actors.js'

runWorker({ threads: 2 })
