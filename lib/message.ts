/**
 * A message: what to run, with what, and how. A frozen value; to change it is to make another.
 */
import type { Broker } from './broker.js'
import { getBroker } from './default-broker.js'
import { type Body, checkWireMessage, getEncoder, type WireMessage } from './encoder.js'
import { DecodeError, DramatisError, ResultError } from './errors.js'
import { expected, refuseUnknown } from './options.js'
import { markInstances } from './registry.js'
import { messageOf } from './thrown.js'
import { type Duration, show } from './time.js'
import { uuid } from './uuid.js'

/** The fields of a message, as its constructor and `with()` take them. */
export interface MessageFields {
  readonly queueName: string
  readonly actorName: string
  readonly args: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** As on the wire: snake_case names, JSON values. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /** Constant over retries and delays; names the result. A new uuid when absent. */
  readonly messageId?: string | undefined
  /** When the message was first made, in milliseconds since the epoch; constant as well. Now when absent. */
  readonly messageTimestamp?: number | undefined
}

const nothing: Readonly<Record<string, unknown>> = Object.freeze({})

/** @typeParam R What the actor returns, and `result()` resolves to. */
export class Message<R = unknown> implements MessageFields {
  readonly queueName: string
  readonly actorName: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
  readonly messageId: string
  readonly messageTimestamp: number
  /** Only carries the type of the result. */
  declare readonly _result?: R
  /** The broker it was made for, where it isn't simply the default one. */
  #origin: Broker | undefined
  /** How many options it has, and the name of one: see `option`. */
  #count = -1
  #name = ''

  /** @throws {InvalidOption} for a field that is missing or of another kind. */
  constructor(fields: MessageFields) {
    if (typeof fields !== 'object' || fields === null) throw expected('the fields of a message', fields, 'fields')
    this.queueName = fields.queueName
    this.actorName = fields.actorName
    this.args = fields.args
    this.kwargs = fields.kwargs ?? nothing
    this.options = fields.options ?? nothing
    this.messageId = fields.messageId ?? uuid()
    this.messageTimestamp = fields.messageTimestamp ?? Date.now()
    if (!this.#isWhole()) explainFields(this)
    Object.freeze(this)
  }

  /** The quick answer, since every message comes by here. */
  #isWhole(): boolean {
    return (
      typeof this.queueName === 'string' &&
      typeof this.actorName === 'string' &&
      typeof this.messageId === 'string' &&
      typeof this.messageTimestamp === 'number' &&
      Array.isArray(this.args) &&
      typeof this.kwargs === 'object' &&
      typeof this.options === 'object' &&
      !Array.isArray(this.kwargs) &&
      !Array.isArray(this.options)
    )
  }

  /** A copy with some fields changed; `options` are replaced, not merged. */
  with(changes: { readonly [K in keyof MessageFields]?: MessageFields[K] | undefined }): Message<R> {
    refuseUnknown(changes, fieldNames, 'with()')
    const {
      queueName = this.queueName,
      actorName = this.actorName,
      args = this.args,
      kwargs = this.kwargs,
      options = this.options,
      messageId = this.messageId,
      messageTimestamp = this.messageTimestamp,
    } = changes
    const copy = new Message<R>({ queueName, actorName, args, kwargs, options, messageId, messageTimestamp })
    copy.#origin = this.#origin
    return copy
  }

  /** Ties a message to the broker it was made for, so that `result()` asks there. */
  static of<R>(fields: MessageFields, broker: Broker): Message<R> {
    const message = new Message<R>(fields)
    message.#origin = broker
    return message
  }

  /**
   * One of its options, by its name on the wire. Quicker than to look into `options`, since most messages have one at
   * most, and every message is asked for many.
   */
  option(name: string): unknown {
    if (this.#count < 0) this.#countOptions()
    if (this.#count === 0 || (this.#count === 1 && name !== this.#name)) return undefined
    return this.options[name]
  }

  #countOptions(): void {
    this.#count = 0
    for (const name in this.options) {
      this.#count++
      this.#name = name
    }
  }

  /** The seven fields as they stand on the wire. */
  toWire(): WireMessage {
    return {
      queue_name: this.queueName,
      actor_name: this.actorName,
      args: this.args as unknown[],
      kwargs: this.kwargs as Record<string, unknown>,
      options: this.options as Record<string, unknown>,
      message_id: this.messageId,
      message_timestamp: this.messageTimestamp,
    }
  }

  /** The message as a JSON value is its wire form, so messages nest in options and arguments as in Python. */
  toJSON(): WireMessage {
    return this.toWire()
  }

  /** The body that is stored on a broker. */
  encode(): Body {
    return getEncoder().encode(this.toWire())
  }

  /**
   * Reads a body.
   * @throws {DecodeError} when it isn't a message.
   */
  static decode(body: Body): Message {
    try {
      return Message.fromWire(getEncoder().decode(body))
    } catch (cause) {
      if (cause instanceof DecodeError) throw cause
      throw new DecodeError(`The body is not a message: ${messageOf(cause)}`, { cause })
    }
  }

  /**
   * Makes a message of its wire form, checked.
   * @throws {DecodeError}
   */
  static fromWire(wire: unknown): Message {
    checkWireMessage(wire)
    return new Message({
      queueName: wire.queue_name,
      actorName: wire.actor_name,
      args: wire.args,
      kwargs: wire.kwargs,
      options: wire.options,
      messageId: wire.message_id,
      messageTimestamp: wire.message_timestamp,
    })
  }

  /**
   * Waits for what the actor returned. Only for actors with `storeResults`.
   *
   * @param options.timeout How long to wait; 0 asks once. @default '10s'
   * @throws {ResultTimeout} when there is none in that time, {ResultMissing} when asked once and there is none,
   * {ResultFailure} when the actor failed for good.
   */
  async result(options: { timeout?: Duration | undefined } = {}): Promise<R> {
    refuseUnknown(options, ['timeout'], 'result()')
    const { timeout = 10_000 } = options
    const broker = this.#origin ?? getBroker()
    const backend = broker.results
    if (!backend) {
      throw new ResultError(
        'This broker keeps no results: add the Results middleware, broker.use(new Results({ backend })).',
      )
    }
    return (await backend.get(this, { timeout })) as R
  }
}

const fieldNames = ['queueName', 'actorName', 'args', 'kwargs', 'options', 'messageId', 'messageTimestamp']

/** @throws {InvalidOption} */
function explainFields(message: MessageFields): never {
  for (const name of ['queueName', 'actorName', 'messageId'] as const) {
    if (typeof message[name] !== 'string') throw expected('a text', message[name], name)
  }
  if (!Array.isArray(message.args)) throw expected('an array of arguments', message.args, 'args')
  for (const name of ['kwargs', 'options'] as const) {
    const value: unknown = message[name]
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('an object', value, name)
  }
  throw expected('milliseconds since the epoch, a number', message.messageTimestamp, 'messageTimestamp')
}

markInstances(Message, 'message')

/** Whether a message may be sent as it is; messages of other versions or shapes are refused early. */
export function assertMessage(value: unknown): asserts value is Message {
  if (!(value instanceof Message)) {
    throw new DramatisError(
      `Expected a Message; got ${show(value)}. Make one with actor.message(…) or new Message({ … }).`,
    )
  }
}
