/** The error of an assertion that failed. */
import { AssertionError } from 'node:assert'

/** What an assertion compared, for the test runners that show it. */
export interface Comparison {
  /** The method that failed: the stack begins with its caller. */
  // biome-ignore lint/complexity/noBannedTypes: as AssertionError takes it
  readonly method: Function
  readonly expected: unknown
  readonly actual: unknown
  /** The error that made it fail. */
  readonly cause?: Error | undefined
}

export function failure(message: string, { method, expected, actual, cause }: Comparison): AssertionError {
  const error = new AssertionError({ message, expected, actual, operator: method.name, stackStartFn: method })
  if (cause) error.cause = cause
  return error
}
