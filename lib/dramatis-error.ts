/** The base of every error of this package; errors.ts has the others. */
import { isInstance, markOf } from './error-marks.js'

/** The base of every error thrown by dramatis. */
export class DramatisError extends Error {
  override get name(): string {
    // A minifier may have changed the name of the class, but not its mark.
    return markOf(Object.getPrototypeOf(this)) ?? this.constructor.name
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that was asked for, which inherits this
    return isInstance(this, value)
  }
}
