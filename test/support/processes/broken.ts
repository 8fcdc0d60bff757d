/** A module that doesn't load anywhere. */
import '../../../lib/index.js'

throw new TypeError('no such setting')
