/**
 * Errors as bounded data that can be sent between threads, where classes can't be. The other side makes an error of it:
 * of the same class if that is built in or ours, otherwise of a class with the same name.
 */
import { types } from 'node:util'
import { markClasses, markOf } from './error-marks.js'
import * as errors from './errors.js'
import {
  classNameOf,
  cut,
  isError,
  isErrorLike,
  maxTextBytes,
  messageOf,
  nameOf,
  prototypesOf,
  read,
} from './thrown.js'

/** A value as it is sent. Values that aren't plain are wrapped, so that no plain object can be mistaken for a wrapper. */
export type PlainData =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | { readonly list: readonly PlainData[] }
  | { readonly record: readonly (readonly [string, PlainData])[] }
  | { readonly error: ErrorData }

export interface ErrorData {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** The class it is created from: a built-in one or, with the prefix, one of ours. */
  readonly base: string
  /** The names of its classes below that, its own first. */
  readonly classes: readonly string[]
  /** Its other plain properties: `code`, `response.status`, `cause`, the `errors` of an AggregateError. */
  readonly fields: readonly (readonly [name: string, value: PlainData, enumerable: boolean])[]
}

/** The prefix of our class names. */
const prefix = 'dramatis:'

type ErrorClass = new (...args: never[]) => Error

const builtIn: Readonly<Record<string, ErrorClass>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
}
const builtInNames = new Map<object, string>(Object.entries(builtIn).map(([name, kind]) => [kind.prototype, name]))
markClasses(errors)
const ours = errors as unknown as Readonly<Record<string, ErrorClass>>

// — Reading ——————————————————————————————————————————————————————————————————————————————————————————————

/** Limits: depth, width per level, total values, total characters. */
const maxDepth = 6
const maxEntries = 100
const maxValues = 1000
const maxTextLength = 65_536
const maxKeyLength = 200

/** Properties of every error that aren't its fields; and fields that aren't enumerable. */
const standardFields = ['name', 'message', 'stack']
const nonEnumerableFields = ['cause', 'errors']

/**
 * Reads anything that was thrown. Never throws.
 * @param text How many characters may be read in all.
 */
export function packError(thrown: unknown, text = maxTextLength): ErrorData {
  return new ErrorPacker(text).error(thrown, 0)
}

/** Stands for what can't be sent: functions, symbols, cycles, and anything over the limits. */
const absent = Symbol('absent')

class ErrorPacker {
  #values = maxValues
  #text: number
  readonly #ancestors = new Set<object>()

  constructor(text: number) {
    this.#text = text
  }

  error(thrown: unknown, depth: number): ErrorData {
    const message = this.#cut(messageOf(thrown))
    if (typeof thrown !== 'object' || thrown === null) {
      return { name: 'Error', message, stack: undefined, base: 'Error', classes: [], fields: [] }
    }
    this.#ancestors.add(thrown)
    const name = nameOf(thrown)
    const stack = this.#stack(thrown, name, message)
    const data = { name, message, stack, ...classesOf(thrown), fields: this.#errorFields(thrown, depth) }
    this.#ancestors.delete(thrown)
    return data
  }

  /** The stack, cut to the length that is kept; `undefined` if it is no text. */
  #stack(error: object, name: string, message: string): string | undefined {
    const stack = read(error, 'stack')
    if (typeof stack !== 'string' || this.#text <= 0) return undefined
    // The frames come last, after a message that may be very long.
    const short = stack.length <= 2 * maxTextBytes ? stack : `${name}: ${message}\n${framesOf(stack).join('\n')}`
    this.#text -= short.length
    return short
  }

  #errorFields(error: object, depth: number): ErrorData['fields'] {
    const fields: (readonly [string, PlainData, boolean])[] = []
    for (const key of keysOf(error)) {
      if (!standardFields.includes(key)) this.#add(fields, key, this.#value(read(error, key), depth + 1), true)
    }
    for (const key of nonEnumerableFields) {
      if (fields.some(([name]) => name === key)) continue
      this.#add(fields, key, this.#value(read(error, key), depth + 1), false)
    }
    for (const key of gettersOf(error)) {
      const value = read(error, key)
      if (isPrimitive(value)) this.#add(fields, key, this.#value(value, depth + 1), false)
    }
    return fields
  }

  #add(fields: (readonly [string, PlainData, boolean])[], key: string, value: PackedValue, enumerable: boolean): void {
    if (value !== absent && (value !== undefined || enumerable)) fields.push([key, value, enumerable])
  }

  #value(value: unknown, depth: number): PackedValue {
    if (this.#values-- <= 0) return absent
    if (typeof value === 'string') return this.#cut(value)
    if (typeof value !== 'object' || value === null) return isPrimitive(value) ? value : absent
    if (depth > maxDepth || this.#ancestors.has(value)) return absent
    this.#ancestors.add(value)
    try {
      if (isError(value)) return { error: this.error(value, depth) }
      if (types.isDate(value)) return new Date(Date.prototype.getTime.call(value))
      if (Array.isArray(value)) return this.#list(value, depth)
      return this.#record(value, depth)
    } catch {
      return absent
    } finally {
      this.#ancestors.delete(value)
    }
  }

  #list(list: readonly unknown[], depth: number): PackedValue {
    const packed: PlainData[] = []
    for (let index = 0; index < list.length && index < maxEntries; index++) {
      const value = this.#value(list[index], depth + 1)
      packed.push(value === absent ? undefined : value)
    }
    return { list: packed }
  }

  /** Of an object that isn't plain, only its own data: an HTTP response leads to a large part of Node. */
  #record(object: object, depth: number): PackedValue {
    const plain = prototypesOf(object).length === 0
    const record: (readonly [string, PlainData])[] = []
    for (const key of plain ? keysOf(object) : [...keysOf(object), ...webFields(object)]) {
      const own = read(object, key)
      if (!plain && !isPrimitive(own)) continue
      const value = this.#value(own, depth + 1)
      if (value !== absent) record.push([key, value])
    }
    return !plain && record.length === 0 ? absent : { record }
  }

  #cut(text: string): string {
    const most = Math.max(0, Math.min(maxTextBytes, this.#text))
    this.#text -= Math.min(text.length, most)
    return cut(text, most)
  }
}

type PackedValue = PlainData | typeof absent

function isPrimitive(value: unknown): value is string | number | boolean | bigint | null | undefined {
  return value === null || !['object', 'function', 'symbol'].includes(typeof value)
}

function keysOf(object: object): string[] {
  try {
    if (ArrayBuffer.isView(object)) return []
    return Object.keys(object)
      .slice(0, maxEntries)
      .filter((key) => key.length <= maxKeyLength)
  } catch {
    return []
  }
}

/** The getters of an error's own classes, such as `get status() { return this.response.status }`. */
function gettersOf(error: object): string[] {
  const found: string[] = []
  if (!isError(error)) return found
  for (const prototype of prototypesOf(error)) {
    if (builtInNames.has(prototype) || markOf(prototype)) break
    try {
      for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)).slice(0, maxEntries)) {
        if (get && !standardFields.includes(key) && !nonEnumerableFields.includes(key) && !Object.hasOwn(error, key))
          found.push(key)
      }
    } catch {
      // A Proxy that can't be inspected.
    }
  }
  return found
}

/** The properties of a `fetch` response are getters of a class that isn't the user's. */
function webFields(object: object): readonly string[] {
  return Object.prototype.toString.call(object) === '[object Response]' ? ['status', 'statusText', 'ok', 'url'] : []
}

/** The frames among the lines of a stack. */
export function framesOf(stack: string): string[] {
  return stack
    .slice(-4 * maxTextBytes)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
}

function classesOf(error: object): Pick<ErrorData, 'base' | 'classes'> {
  const classes: string[] = []
  for (const prototype of isErrorLike(error) ? prototypesOf(error) : []) {
    const known = markOf(prototype)
    if (known !== undefined) return { base: prefix + known, classes }
    const language = builtInNames.get(prototype)
    if (language) return { base: language, classes }
    const name = classNameOf(prototype)
    if (name !== undefined) classes.push(name)
  }
  // Of another realm, or no error at all.
  const base = isError(error) ? classes.findIndex((name) => Object.hasOwn(builtIn, name)) : -1
  return base < 0 ? { base: 'Error', classes } : { base: classes[base] as string, classes: classes.slice(0, base) }
}

// — Making an error of it ————————————————————————————————————————————————————————————————————————————————

/** Creates the error from its data. */
export function unpackError({ name, message, stack, base, classes, fields }: ErrorData): Error {
  const error = new Error(message)
  Object.setPrototypeOf(error, classOf(base, classes).prototype as object)
  for (const [key, value, enumerable] of fields) define(error, key, unpack(value), enumerable)
  if (error.name !== name) define(error, 'name', name)
  define(error, 'stack', stack ?? (message ? `${name}: ${message}` : name))
  return error
}

function unpack(value: PlainData): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if ('error' in value) return unpackError(value.error)
  if ('list' in value) return value.list.map(unpack)
  return Object.fromEntries(value.record.map(([key, inner]) => [key, unpack(inner)]))
}

export function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true })
}

function classOf(base: string, classes: readonly string[]): ErrorClass {
  let kind = builtIn[base] ?? Error
  if (base.startsWith(prefix)) {
    const name = base.slice(prefix.length)
    // Another version of dramatis may have classes that this one lacks.
    kind = ours[name] ?? errors.DramatisError
  }
  for (const name of [...classes].reverse()) kind = subclass(kind, name)
  return kind
}

/** Classes that stand for those of other threads; bounded, so that generated names can't fill memory. */
const subclasses = new WeakMap<ErrorClass, Map<string, ErrorClass>>()
const maxSubclasses = 200

function subclass(parent: ErrorClass, name: string): ErrorClass {
  let known = subclasses.get(parent)
  if (!known) {
    known = new Map()
    subclasses.set(parent, known)
  }
  const found = known.get(name)
  if (found) return found
  const kind = class extends parent {}
  Object.defineProperty(kind, 'name', { value: name })
  if (known.size < maxSubclasses) known.set(name, kind)
  return kind
}
