/**
 * Makes enqueue records, messages in the form that the scripts store: an id, a body and the destination.
 */
import { isUtf8 } from 'node:buffer'
import { type Body, getEncoder, type WireMessage } from '../../../lib/encoder.js'
import type { Entry } from '../../../lib/outcome.js'
import { uuid } from '../../../lib/uuid.js'
import type { Destination, Keys, QueueKeys } from '../keys.js'
import type { Argument } from '../scripts.js'
import { lenient, rewrite } from './json-rewrite.js'

/** A message to be stored, with its destination. */
export interface EnqueueRecord {
  readonly destination: Destination
  readonly id: string
  readonly body: Body
  /** When it is due (ms), for a destination of delayed messages. */
  readonly due?: number
}

/** Where delayed messages wait: in our own sorted set, or in Dramatiq's delay queue for workers in Python. */
export type DelayQueue = 'native' | 'dramatiq'

/** What the broker contributes to an enqueue record. */
export interface EnqueueContext {
  readonly keys: Keys
  readonly delayQueue: DelayQueue
  readonly now: () => number
  readonly encode: (entry: Entry, wire: WireMessage) => Body
}

/** Returns the ready list for a message's priority. Python's workers know only the list of priority 0. */
export function destinationOf(
  queue: QueueKeys,
  options: Readonly<Record<string, unknown>>,
  delayQueue: DelayQueue,
): Destination {
  return queue.ready(delayQueue === 'dramatiq' ? 0 : priorityOf(options))
}

/** Returns the priority of a message, 0 to 9. RabbitMQ allows higher ones, which are read as 9. */
export function priorityOf(options: Readonly<Record<string, unknown>>): number {
  const priority = options.broker_priority
  return Number.isInteger(priority) && (priority as number) > 0 ? Math.min(priority as number, 9) : 0
}

/**
 * Makes the record of a message. Its options get a new `redis_message_id`, its id in Redis, and the body gets the name
 * of the queue that it goes to.
 */
export function enqueueRecord(entry: Entry, { keys, delayQueue, now, encode }: EnqueueContext): EnqueueRecord {
  const { message, delay } = entry
  const queue = keys.queue(message.queueName)
  const id = entry.handle ?? uuid()
  const wire = message.toWire()
  if (delay !== undefined && delayQueue === 'dramatiq') {
    wire.queue_name = queue.delayQueueName
    wire.options = { ...wire.options, redis_message_id: id, eta: now() + delay }
    return { destination: queue.delayQueueDestination, id, body: encode(entry, wire) }
  }
  wire.queue_name = queue.queueName
  wire.options = { ...wire.options, redis_message_id: id }
  const body = encode(entry, wire)
  if (delay) return delayed(queue, id, body, priorityOf(message.options), now() + delay)
  return { destination: destinationOf(queue, message.options, delayQueue), id, body }
}

function delayed(queue: QueueKeys, id: string, body: Body, priority: number, due: number): EnqueueRecord {
  const marked = typeof body === 'string' ? `${priority}${body}` : Buffer.concat([Buffer.from(`${priority}`), body])
  return { destination: queue.delayedDestination, id, body: marked, due }
}

/**
 * Makes the record of a message that Python delayed: on its own queue, without `eta`, with a new id, otherwise
 * unchanged.
 * @throws {SyntaxError} when the body isn't a message.
 */
export function recordOfDelayed(queue: QueueKeys, text: string): EnqueueRecord {
  const { options } = JSON.parse(lenient(text)) as { options?: Record<string, unknown> }
  const id = uuid()
  const body = rewrite(text, {
    queueName: queue.queueName,
    options: { eta: undefined, redis_message_id: JSON.stringify(id) },
  })
  const priority = priorityOf(options ?? {})
  const eta = options?.eta
  return typeof eta === 'number'
    ? delayed(queue, id, body, priority, eta)
    : { destination: queue.ready(priority), id, body }
}

/**
 * Adds records to the keys and arguments of a script call, grouped by their destinations.
 *
 * @param destinations The index of each destination among the keys; shared by all records of one call.
 * @returns The number of groups.
 */
export function packRecords(
  records: readonly EnqueueRecord[],
  destinations: Map<Destination, number>,
  keys: string[],
  args: Argument[],
): number {
  const groups = new Map<Destination, EnqueueRecord[]>()
  for (const record of records) {
    const group = groups.get(record.destination)
    if (group) group.push(record)
    else groups.set(record.destination, [record])
  }
  for (const [destination, group] of groups) {
    let at = destinations.get(destination)
    if (at === undefined) {
      at = keys.push(...destination.keys) - 2
      destinations.set(destination, at)
    }
    args.push(at, ...packGroup(group))
  }
  return groups.size
}

/** Returns the arguments of a group, as `_store.lua` reads them. */
function packGroup(group: readonly EnqueueRecord[]): Argument[] {
  let ids = ''
  let sizes = ''
  let dues = ''
  let total = 0
  for (const { id, body, due } of group) {
    const size = sizeOf(body)
    ids += id
    sizes += `${size},`
    total += size
    if (due !== undefined) dues += `${due},`
  }
  return [ids, sizes, joinBodies(group, total), dues]
}

/** Joins all bodies. @param size The sum of their sizes in bytes. */
function joinBodies(group: readonly EnqueueRecord[], size: number): Argument {
  if (group.every(({ body }) => typeof body === 'string')) {
    const text = group.map(({ body }) => body).join('')
    // Half a surrogate pair at the end of one body and half at the start of the next would become one character.
    if (text.length === size || Buffer.byteLength(text) === size) return text
  }
  return Buffer.concat(group.map(({ body }) => Buffer.from(body)))
}

function sizeOf(body: Body): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length
}

/** Whether the encoder in use produces text, such as JSON. Otherwise bodies are read from Redis as bytes. */
export function bodiesAreText(): boolean {
  const encoder = getEncoder()
  if (encoder !== probed) {
    probed = encoder
    const message = {
      queue_name: 'q',
      actor_name: 'a',
      args: [],
      kwargs: {},
      options: {},
      message_id: '',
      message_timestamp: 0,
    }
    textual = typeof encoder.encode(message) === 'string'
  }
  return textual
}

/**
 * Reads a body from its bytes.
 * @param textual Whether bodies are text. Invalid UTF-8 stays bytes even then, for the decoder to refuse.
 */
export function readBody(bytes: Buffer, textual: boolean): Body {
  return textual && isUtf8(bytes) ? bytes.toString() : bytes
}

let probed: unknown
let textual = true
