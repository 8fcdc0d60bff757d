/** The error of an assertion that failed. */
import { AssertionError } from 'node:assert'

/** What an assertion compared, for the test runners that show it. */
export interface Comparison {
  /** The name of the method that failed. */
  readonly operator: string
  readonly expected: unknown
  readonly actual: unknown
  /** The error that made it fail. */
  readonly cause?: Error | undefined
}

export function failure(message: string, { cause, ...comparison }: Comparison): AssertionError {
  const error = new AssertionError({ message, ...comparison })
  if (cause) error.cause = cause
  return error
}
