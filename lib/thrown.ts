/**
 * Reads what was thrown. Anything can be thrown: a name may be a symbol, a getter may throw, a text may have 40 MB.
 * Nothing here throws, and each step is linear in what it keeps.
 */
import { inspect, types } from 'node:util'

/** The most that is kept of a text, in bytes of UTF-8. */
export const maxTextBytes = 8192

const maxNameLength = 200
/** The maximum length of the note that says how much is missing. */
const maxNoteLength = 60
const maxClasses = 20

const encoder = new TextEncoder()
const decoder = new TextDecoder()
let buffer: Uint8Array | undefined

/**
 * Cuts a text to a number of bytes of UTF-8 (8 KiB at most), with a note that says how much is missing. No character is
 * split, and the result doesn't keep the rest of the text in memory. A text that was cut before is unchanged if it
 * fits; otherwise it gets one note for all that is missing.
 */
export function cut(text: string, most = maxTextBytes): string {
  if (text.length * 3 <= most) return text
  const note = /… \((\d+) more characters\)$/.exec(text.slice(-maxNoteLength))
  const length = text.length - (note?.[0].length ?? 0)
  buffer ??= new Uint8Array(maxTextBytes)
  const kept = encoder.encodeInto(text.slice(0, Math.min(length, most)), buffer.subarray(0, most))
  if (kept.read === length) return text
  // The slice may end with half a surrogate pair, which was encoded as one character of three bytes.
  const last = text.charCodeAt(kept.read - 1)
  const halves = last >= 0xd800 && last <= 0xdbff ? 1 : 0
  const head = decoder.decode(buffer.subarray(0, kept.written - 3 * halves))
  return `${head}… (${length - kept.read + halves + Number(note?.[1] ?? 0)} more characters)`
}

/** A property of anything; `undefined` if it can't be read. */
export function read(from: unknown, key: string): unknown {
  try {
    return (from as Record<string, unknown> | null | undefined)?.[key]
  } catch {
    return undefined
  }
}

/** Whether it is an Error, of this realm or another (`node:vm`, Jest). A Proxy of one isn't. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  try {
    return types.isNativeError(value) || value instanceof Error
  } catch {
    return false
  }
}

/** Whether it is an Error, or an object with a message that was thrown instead of one. */
export function isErrorLike(value: unknown): value is object {
  return isError(value) || (typeof value === 'object' && typeof read(value, 'message') === 'string')
}

/** The prototypes of an object, its own first, without the root that every object has. */
export function prototypesOf(value: object): object[] {
  const found: object[] = []
  try {
    let prototype = Object.getPrototypeOf(value) as object | null
    while (prototype && found.length < maxClasses) {
      const parent = Object.getPrototypeOf(prototype) as object | null
      if (parent) found.push(prototype)
      prototype = parent
    }
  } catch {
    // A Proxy that can't be inspected.
  }
  return found
}

/** The name of the class that a prototype belongs to, if it has one. */
export function classNameOf(prototype: object): string | undefined {
  const name = read(read(prototype, 'constructor'), 'name')
  return typeof name === 'string' && name !== '' ? cut(name, maxNameLength) : undefined
}

/** The names of an error's classes, its own first, preceded by the name that it sets itself. */
export function classNames(error: object): string[] {
  const names = ownClassNames(error)
  const name = nameOf(error, names)
  return names.includes(name) ? names : [name, ...names]
}

function ownClassNames(error: object): string[] {
  if (!isErrorLike(error)) return []
  return prototypesOf(error)
    .map(classNameOf)
    .filter((name) => name !== undefined)
}

/**
 * The name of an error: the `name` that it or its class sets. A name that is only inherited says nothing about the
 * class, so an error of `class PaymentRefused extends Error {}` is a `PaymentRefused`.
 */
export function nameOf(error: object, names: readonly string[] = ownClassNames(error)): string {
  const given = read(error, 'name')
  if (typeof given === 'string' && given !== '' && !names.includes(given)) return cut(given, maxNameLength)
  return names[0] ?? 'Error'
}

/** The message of anything thrown; if it isn't an error, a description of it. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return cut(thrown)
  const message = read(thrown, 'message')
  if (typeof message === 'string') return cut(message)
  if (isError(thrown)) return message === undefined ? '' : display(message)
  // `throw Promise.reject(error)`: without a handler it would end the thread or the process.
  if (types.isPromise(thrown)) Promise.prototype.then.call(thrown, undefined, () => {})
  return `A value that is no Error was thrown: ${display(thrown)}`
}

const maxKeys = 100

/** A value in one line, as far as it can be shown. Avoids running code of the value. */
function display(value: unknown): string {
  try {
    if (typeof value === 'object' && value !== null && !types.isProxy(value) && !Array.isArray(value)) {
      const keys = Object.keys(value).length
      if (keys > maxKeys) return `an object of ${keys} fields`
    }
    return cut(inspect(value, inspection), 1000)
  } catch {
    return 'it can’t be shown'
  }
}

const inspection = {
  depth: 3,
  customInspect: false,
  showProxy: true,
  maxArrayLength: 20,
  maxStringLength: 200,
  breakLength: Number.POSITIVE_INFINITY,
} as const
