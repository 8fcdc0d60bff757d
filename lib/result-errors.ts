/** The errors of `result()`. */
import { DramatisError } from './dramatis-error.js'

/** The base of errors of `result()`. */
export class ResultError extends DramatisError {}

/** There is no result (yet). */
export class ResultMissing extends ResultError {}

/** No result arrived within the timeout. */
export class ResultTimeout extends ResultError {}

/** The actor failed permanently, with the error described here. */
export class ResultFailure extends ResultError {
  constructor(
    /** The class name of the error the actor threw. */
    readonly type: string,
    /** Its message. */
    readonly reason: string,
    /** Its stack, if it was kept. */
    readonly traceback?: string,
  ) {
    super(`actor raised ${type}: ${reason}`)
  }
}
