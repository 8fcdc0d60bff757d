/**
 * What is kept of an error: in a retried message, in a result, with a dead letter, in the log. Each is cut to about 8
 * KiB.
 */
import { define, framesOf, packError, unpackError } from './error-data.js'
import { DramatisError } from './errors.js'
import { cut, isError, maxTextBytes, messageOf, nameOf, read } from './thrown.js'

/** The most stack lines that are kept; as many frames as Dramatiq keeps. */
const maxFrames = 30
/** The share of a traceback for its frames and its causes, in bytes; the rest is for the error itself. */
const framesShare = 4096
const causesShare = 1536
/** How many causes and inner errors are included. */
const maxCauses = 5
const maxInnerErrors = 10
/** The share of a summary for an error's own message, in bytes. */
const maxSummaryBytes = 7000
/** How much of an inner error's message is included in the line of the outer one. */
const maxInnerMessageBytes = 500

/**
 * Turns anything thrown into an Error that can be read: with a `name` of its class, and a `message` and a `stack` that
 * are texts of bounded length. Returns the thrown error itself if it is one.
 */
export function toError(thrown: unknown): Error {
  return isReadable(thrown) ? thrown : boundedCopy(thrown)
}

/** Whether it is such an Error already. Sets its name if it only inherited one. */
function isReadable(thrown: unknown): thrown is Error {
  try {
    if (!isError(thrown) || !(thrown instanceof Error)) return false
    const { name, message, stack } = thrown
    if (typeof name !== 'string' || typeof message !== 'string' || cut(message) !== message) return false
    if (stack !== undefined && (typeof stack !== 'string' || stack.length > 4 * maxTextBytes)) return false
    const own = nameOf(thrown)
    if (name !== own) define(thrown, 'name', own)
    return true
  } catch {
    return false
  }
}

/** An error of the same class and name, with its other plain properties. */
function boundedCopy(thrown: unknown, text?: number): Error {
  const copy = unpackError(packError(thrown, text))
  if (isError(thrown) && thrown instanceof Error) {
    Object.setPrototypeOf(copy, Object.getPrototypeOf(thrown) as object)
    const name = nameOf(thrown)
    if (read(copy, 'name') !== name) define(copy, 'name', name)
  }
  return copy
}

/** An error for the log: safe to read, whatever a logger does with it, and bounded. */
export function loggable(error: unknown): Error {
  return boundedCopy(error, 2 * maxTextBytes)
}

/** The message of an error; if it is empty, those of its inner errors, as in an AggregateError of Node. */
export function textOf(error: unknown): string {
  return messageOf(error) || innerTexts(error).join('; ')
}

/** `Type: message` in one line, with inner errors and causes. */
export function summary(error: Error): string {
  // Leaves room for the causes, and for the number of attempts.
  let text = cut(headline(error), maxSummaryBytes)
  const inner = messageOf(error) ? innerTexts(error) : []
  if (inner.length > 0) text += ` (${inner.join('; ')})`
  for (const cause of causesOf(error)) {
    const message = cut(textOf(cause), maxInnerMessageBytes)
    // Many messages already include their cause.
    if (message && text.includes(message)) continue
    text += ` (caused by ${nameAndText(cause, message)})`
  }
  return cut(text)
}

/** `Type: message`. */
function headline(error: unknown): string {
  return nameAndText(error, textOf(error))
}

function nameAndText(error: unknown, text: string): string {
  const name = isError(error) ? nameOf(error) : 'Error'
  return text ? `${name}: ${text}` : name
}

/** The messages of inner errors. */
function innerTexts(error: unknown, depth = 0): string[] {
  const inner = read(error, 'errors')
  try {
    if (!Array.isArray(inner) || depth > 2) return []
    const texts: string[] = []
    for (const one of inner.slice(0, maxInnerErrors)) {
      const text = messageOf(one) || innerTexts(one, depth + 1).join('; ') || (isError(one) ? nameOf(one) : '')
      if (text) texts.push(cut(text, maxInnerMessageBytes))
    }
    if (inner.length > maxInnerErrors) texts.push(`and ${inner.length - maxInnerErrors} more`)
    return texts
  } catch {
    return []
  }
}

/** The causes of an error, up to a limit. */
export function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = []
  let cause = read(error, 'cause')
  while (cause !== undefined && cause !== null && cause !== error && causes.length < maxCauses) {
    if (causes.includes(cause)) break
    causes.push(cause)
    cause = read(cause, 'cause')
  }
  return causes
}

/** The stack in Dramatiq's format: frames first, `Type: message` in the last line, a newline at the end. */
export function traceback(error: Error): string {
  const frames = keptFrames(error).map((line) => `${line}\n`)
  const inner = messageOf(error) ? innerTexts(error).map((text) => `Inner error: ${text}\n`) : []
  const causes = causesOf(error).map((cause) => `Caused by ${cut(headline(cause), maxInnerMessageBytes)}\n`)
  const related = cutLines([...inner, ...causes], causesShare)
  return `Traceback (most recent call first):\n${frames.join('')}${related}${cut(headline(error), ownShare)}\n`
}

const ownShare = maxTextBytes - framesShare - causesShare - 200

function keptFrames(error: Error): string[] {
  const stack = read(error, 'stack')
  if (typeof stack !== 'string') return []
  const frames = framesOf(stack).slice(0, maxFrames)
  let size = 0
  const fitting = frames.findIndex((frame) => {
    size += Buffer.byteLength(frame) + 1
    return size > framesShare
  })
  return fitting < 0 ? frames : [...frames.slice(0, fitting), `    … (${frames.length - fitting} more frames)`]
}

function cutLines(lines: readonly string[], most: number): string {
  const text = lines.join('')
  const short = cut(text, most)
  return short === text ? text : `${short}\n`
}

/** Errors that weren't thrown by the user's code. */
const ours = new WeakSet<Error>()

/** Removes the frames of our own errors that refuse a message: they only show our internals. */
export function withoutFrames(error: Error): Error {
  if (!(error instanceof DramatisError)) return error
  ours.add(error)
  error.stack = summary(error)
  return error
}

/** The traceback to keep of an error; none if it has nothing to show. */
export function tracebackToKeep(error: Error): string | undefined {
  return ours.has(error) ? undefined : traceback(error)
}
