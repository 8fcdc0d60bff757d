/** For a bundle of CommonJS, which can't await at its top level. */
import { runWorker } from 'dramatis'
import '../actors.js'

runWorker({ threads: 2 })
