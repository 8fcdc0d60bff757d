/** How messages are encoded and decoded: JSON as Python's Dramatiq writes it, unless replaced. */
import { checkMethods, show } from './checks.js'
import { DecodeError, NotSerializable } from './errors.js'
import { memberPath } from './property-path.js'
import { shared } from './registry.js'
import { classNameOf, messageOf } from './thrown.js'

/** An encoded message. Text if the encoder produces text; brokers store it unchanged. */
export type Body = string | Uint8Array

/** The seven fields of a message on the wire, in Python's order. */
export interface WireMessage {
  queue_name: string
  actor_name: string
  args: unknown[]
  kwargs: Record<string, unknown>
  options: Record<string, unknown>
  message_id: string
  message_timestamp: number
}

/**
 * Encodes and decodes messages. All processes and threads that share queues must use the same encoder, so call
 * `setEncoder` where the actors are declared.
 */
export interface Encoder {
  encode(message: WireMessage): Body
  /** Returns what `encode` was given. An error it throws becomes the `cause` of a `DecodeError`. */
  decode(body: Body): unknown
}

/** JSON, interchangeable with Python's. Reads any key order, white space and escapes; writes UTF-8 without spaces. */
export class JSONEncoder implements Encoder {
  encode(message: WireMessage): string {
    const { queue_name, actor_name, args, kwargs, options, message_id, message_timestamp } = message
    // The same text as JSON.stringify's. Most fields of a message are known strings, which needn't be scanned.
    return (
      `{"queue_name":${quoteName(queue_name)},"actor_name":${quoteName(actor_name)},"args":${JSON.stringify(args)},` +
      `"kwargs":${encodeObject(kwargs)},"options":${encodeObject(options)},` +
      `"message_id":${quoteId(message_id)},"message_timestamp":${JSON.stringify(message_timestamp)}}`
    )
  }

  decode(body: Body): unknown {
    return JSON.parse(typeof body === 'string' ? body : utf8.decode(body))
  }
}

/** Names in quotes; there are few of them. */
const quotedNames = new Map<string, string>()

function quoteName(name: string): string {
  let quoted = quotedNames.get(name)
  if (quoted === undefined) {
    quoted = JSON.stringify(name)
    if (quotedNames.size < 1000) quotedNames.set(name, quoted)
  }
  return quoted
}

function quoteId(id: string): string {
  return /^[\w-]*$/.test(id) ? `"${id}"` : JSON.stringify(id)
}

/** Most messages have no kwargs, and no option but the id of the broker. */
function encodeObject(object: Record<string, unknown>): string {
  const keys = Object.keys(object)
  if (keys.length > 1 || 'toJSON' in object) return JSON.stringify(object)
  const [only] = keys
  if (only === undefined) return '{}'
  const value = object[only]
  return typeof value === 'string' ? `{${quoteName(only)}:${quoteId(value)}}` : JSON.stringify(object)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

const state = shared('encoder', (): { encoder: Encoder } => ({ encoder: new JSONEncoder() }))

/** The encoder in use. */
export function getEncoder(): Encoder {
  return state.encoder
}

/** Replaces the encoder, for this thread of this process. */
export function setEncoder(replacement: Encoder): void {
  checkMethods(replacement, ['encode', 'decode'], 'encoder', 'an encoder')
  state.encoder = replacement
}

// — Checking a decoded body ——————————————————————————————————————————————————————————————————————————————

const required = { queue_name: isText, actor_name: isText, args: Array.isArray, kwargs: isRecord, options: isRecord }
const optional = { message_id: isText, message_timestamp: Number.isFinite }
const allowed: Readonly<Record<string, (value: unknown) => boolean>> = { ...required, ...optional }

/**
 * Checks that a decoded body has the fields of a message and no others: an unknown field would be lost on the next
 * retry, and Python refuses it. The two ids may be missing.
 * @throws {DecodeError}
 */
export function checkWireMessage(value: unknown): asserts value is WireMessage {
  if (!isWireMessage(value)) explainShape(value)
}

/** The fast path, written out since every message passes it. */
function isWireMessage(value: unknown): value is WireMessage {
  if (!isRecord(value)) return false
  const { queue_name, actor_name, args, kwargs, options, message_id, message_timestamp } = value
  if (!isText(queue_name) || !isText(actor_name) || !Array.isArray(args) || !isRecord(kwargs) || !isRecord(options))
    return false
  let fields = 5
  if (message_id !== undefined) {
    if (!isText(message_id)) return false
    fields++
  }
  if (message_timestamp !== undefined) {
    if (!Number.isFinite(message_timestamp)) return false
    fields++
  }
  for (const _ in value) fields--
  return fields === 0
}

/** The error for an invalid message. */
function explainShape(value: unknown): void {
  if (!isRecord(value)) throw new DecodeError(`Expected a message to be an object; got ${show(value)}.`)
  for (const name in value) {
    const check = Object.hasOwn(allowed, name) ? allowed[name] : undefined
    if (!check) throw new DecodeError(`A message has no field "${name}"; extra data belongs in its options.`)
    if (!check(value[name])) throw new DecodeError(`The field "${name}" of a message can't be ${show(value[name])}.`)
  }
  for (const name in required) {
    if (!(name in value)) throw new DecodeError(`The field "${name}" of the message is missing.`)
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// — Checking what goes in ————————————————————————————————————————————————————————————————————————————————

/**
 * Refuses what JSON would silently lose or change: functions, symbols, BigInts, NaN and infinities, cycles, `undefined`
 * inside an array, and objects that aren't plain (a Date would arrive as a string, a Map as `{}`). A property that is
 * `undefined` is fine: it reads as `undefined` on the other side.
 *
 * @param name The name of the value in the error: `args`, `kwargs`, `result`.
 * @throws {NotSerializable} with the path of the value.
 */
export function checkSerializable(value: unknown, name: string): void {
  try {
    if (!isPlain(value, 0)) explain(value, name, new Set())
  } catch (error) {
    if (error instanceof NotSerializable) throw error
    // A getter that throws, a revoked Proxy, or too deep a nesting.
    throw new NotSerializable(`${name} can't be read: ${messageOf(error)}`, name, { cause: error })
  }
}

/** Beyond this depth the thorough check, which detects cycles, takes over from the fast one. */
const quickDepth = 32

function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object': {
      if (value === null) return true
      if (depth > quickDepth) return false
      if (Array.isArray(value)) {
        for (let index = 0; index < value.length; index++) if (!isPlain(value[index], depth + 1)) return false
        return true
      }
      if (!isPlainObject(value)) return false
      for (const key in value) {
        const property = (value as Record<string, unknown>)[key]
        if (property !== undefined && !isPlain(property, depth + 1)) return false
      }
      return true
    }
    default:
      return false
  }
}

/** An object literal, of this realm or another, or one without a prototype; and without a toJSON() method. */
function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) return false
  return typeof (value as { toJSON?: unknown }).toJSON !== 'function'
}

const advice: Readonly<Record<string, string>> = {
  bigint: 'send it as a string',
  function: 'send data, not code',
  symbol: 'send a string',
  undefined: 'send null',
  number: 'JSON has no such number; send null or a string',
}

function describe(value: object): string {
  const kind = classNameOf(value) ?? 'object'
  if (kind === 'Object') return 'is an object with a toJSON() method'
  return `is ${/^[AEIO]/i.test(kind) ? 'an' : 'a'} ${kind}`
}

function explain(value: unknown, path: string, ancestors: Set<object>): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return
  if (typeof value !== 'object') throw refuse(`is ${show(value)}`, path, advice[typeof value] as string)
  if (ancestors.has(value)) throw refuse('refers back to an object that contains it', path, 'send a tree, not a cycle')
  ancestors.add(value)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) explain(value[index], memberPath(path, index), ancestors)
  } else if (!isPlainObject(value)) {
    const instead = value instanceof Date ? 'send date.toISOString()' : 'send a plain object, such as { ...value }'
    throw refuse(`${describe(value)}, which would arrive as something else`, path, instead)
  } else {
    for (const [key, property] of Object.entries(value)) {
      if (property !== undefined) explain(property, memberPath(path, key), ancestors)
    }
  }
  ancestors.delete(value)
}

function refuse(what: string, path: string, instead: string): NotSerializable {
  return new NotSerializable(`${path} ${what}: JSON can't carry it; ${instead}.`, path)
}
