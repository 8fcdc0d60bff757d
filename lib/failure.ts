/**
 * Errors as data: what is kept of one in a message, in a result, beside a dead letter.
 */
import { DramatisError } from './errors.js'
import { show } from './time.js'

/** The most lines of a stack that are kept; as many as Dramatiq keeps frames. */
const mostFrames = 30

/** Anything thrown, as an Error. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new Error(typeof thrown === 'string' ? thrown : `A value that is no Error was thrown: ${show(thrown)}`, {
    cause: thrown,
  })
}

/** `Type: message`, in one line. */
export function summary(error: Error): string {
  return error.message ? `${error.name}: ${error.message}` : error.name
}

/** The stack as Dramatiq's readers expect it: frames first, `Type: message` in the last line, a newline at the end. */
export function traceback(error: Error): string {
  const frames = (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, mostFrames)
  const cause = error.cause instanceof Error ? `Caused by ${summary(error.cause)}\n` : ''
  return `Traceback (most recent call first):\n${frames.map((line) => `${line}\n`).join('')}${cause}${summary(error)}\n`
}

/** Errors that no code of the user's threw. */
const ours = new WeakSet<Error>()

/** Takes the frames off an error of ours that refuses a message: they show only our own insides. */
export function withoutFrames(error: Error): Error {
  if (!(error instanceof DramatisError)) return error
  ours.add(error)
  error.stack = summary(error)
  return error
}

/** The traceback to be kept of an error; none where it has nothing to show. */
export function tracebackToKeep(error: Error): string | undefined {
  return ours.has(error) ? undefined : traceback(error)
}

/** The class names of an error, its own first, up to but without `Object`. */
export function classNames(error: Error): string[] {
  const known = (error as { [remoteNames]?: string[] })[remoteNames]
  if (known) return known
  const names: string[] = []
  for (
    let prototype = Object.getPrototypeOf(error);
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    if (typeof prototype.constructor?.name === 'string') names.push(prototype.constructor.name)
  }
  if (!names.includes(error.name)) names.unshift(error.name)
  return names
}

/** Where an error that came from a thread keeps the class names it had there: its classes can't travel, their names can. */
export const remoteNames = Symbol.for('dramatis.errorClasses')
