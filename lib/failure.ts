/**
 * What is kept of an error: in a message that is retried, in a result, beside a dead letter, in the log. Each is cut to
 * about 8 KiB.
 */
import { define, framesOf, packError, unpackError } from './error-data.js'
import { DramatisError } from './errors.js'
import { cut, isError, maxTextBytes, messageOf, nameOf, read } from './thrown.js'

/** The most lines of a stack that are kept; as many as Dramatiq keeps frames. */
const maxFrames = 30
/** How much of a traceback its frames and its causes may take, in bytes; the rest is the error's own. */
const framesShare = 4096
const causesShare = 1536
/** How many causes and inner errors are told of. */
const maxCauses = 5
const maxInnerErrors = 10
/** How much of a summary an error's own message may take, in bytes. */
const longestSummary = 7000
/** How much of an inner error's message stands in a line about the outer one. */
const shortMessage = 500

/**
 * Anything thrown, as an Error that can be read: with a `name` that says its class, a `message` and a `stack` that are
 * texts of a sensible length. It is the thrown error itself unless that can't be.
 */
export function toError(thrown: unknown): Error {
  return isSound(thrown) ? thrown : boundedCopy(thrown)
}

/** Whether it is an Error that can be read as it is. Gives it its name where it only inherited one. */
function isSound(thrown: unknown): thrown is Error {
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

/** An error of the same class and name, with what is plain of the rest. */
function boundedCopy(thrown: unknown, text?: number): Error {
  const copy = unpackError(packError(thrown, text))
  if (isError(thrown) && thrown instanceof Error) {
    Object.setPrototypeOf(copy, Object.getPrototypeOf(thrown) as object)
    const name = nameOf(thrown)
    if (read(copy, 'name') !== name) define(copy, 'name', name)
  }
  return copy
}

/** An error as the log may have it: whatever a logger does with it, it can be read, and isn't longer than what is kept. */
export function loggable(error: unknown): Error {
  return boundedCopy(error, 2 * maxTextBytes)
}

/** The message of an error; where it has none, those of the errors in it, as in an AggregateError of Node's. */
export function textOf(error: unknown): string {
  return messageOf(error) || innerTexts(error).join('; ')
}

/** `Type: message`, in one line, with the errors in it and what caused it. */
export function summary(error: Error): string {
  // Room is left for what is said of its causes, and of its attempts.
  let text = cut(headline(error), longestSummary)
  const inner = messageOf(error) ? innerTexts(error) : []
  if (inner.length > 0) text += ` (${inner.join('; ')})`
  for (const cause of causesOf(error)) {
    const message = cut(textOf(cause), shortMessage)
    // Many a message tells of its cause already.
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

/** The messages of the errors in an error. */
function innerTexts(error: unknown, depth = 0): string[] {
  const inner = read(error, 'errors')
  try {
    if (!Array.isArray(inner) || depth > 2) return []
    const texts: string[] = []
    for (const one of inner.slice(0, maxInnerErrors)) {
      const text = messageOf(one) || innerTexts(one, depth + 1).join('; ') || (isError(one) ? nameOf(one) : '')
      if (text) texts.push(cut(text, shortMessage))
    }
    if (inner.length > maxInnerErrors) texts.push(`and ${inner.length - maxInnerErrors} more`)
    return texts
  } catch {
    return []
  }
}

/** What caused an error, and what caused that; a few of them. */
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

/** The stack as Dramatiq's readers expect it: frames first, `Type: message` in the last line, a newline at the end. */
export function traceback(error: Error): string {
  const frames = keptFrames(error).map((line) => `${line}\n`)
  const inner = messageOf(error) ? innerTexts(error).map((text) => `Inner error: ${text}\n`) : []
  const causes = causesOf(error).map((cause) => `Caused by ${cut(headline(cause), shortMessage)}\n`)
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
