/** A batch on its way to a thread, and the ends of its messages on their way back. */
import type { BatchEnd } from '../../batch.js'
import { checkSerializable } from '../../encoder.js'
import { type ErrorData, packError, unpackError } from '../../error-data.js'
import type { WantedResult } from '../../middleware.js'
import type { Execution } from '../execution.js'
import type { BatchBody } from './protocol.js'

export function batchBody(members: readonly Execution[]): BatchBody {
  return { bodies: members.map(({ delivery }) => delivery.body), wanted: members.map(({ wanted }) => wanted) }
}

/** The end of one message of a batch: its result or, in the second place, an error. */
export type PackedEnd = readonly [result: unknown, error?: ErrorData]

/** Called on the thread. A result that can't be sent is refused or left out, as that of any message. */
export function packEnds(ends: readonly BatchEnd[], wanted: readonly WantedResult[]): PackedEnd[] {
  return ends.map(([result, error], index) => {
    if (error) return [undefined, packError(error)]
    if (result === undefined || wanted[index] === 'none') return [undefined]
    try {
      // Checked before cloning: a clone has lost its classes and would look like a plain object.
      if (wanted[index] === 'json') checkSerializable(result, 'result')
    } catch (refused) {
      return [undefined, packError(refused)]
    }
    return [result]
  })
}

export function unpackEnds(ends: readonly PackedEnd[]): BatchEnd[] {
  return ends.map(([result, error]) => (error ? [undefined, unpackError(error)] : [result]))
}
