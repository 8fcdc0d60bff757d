/** A worker whose script throws before it runs anything. */
import '../../../lib/index.js'

throw new RangeError('no settings')
