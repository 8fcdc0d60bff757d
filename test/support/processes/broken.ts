/** A module that fails to load on every thread. */
import '../../../lib/index.js'

throw new TypeError('no such setting')
