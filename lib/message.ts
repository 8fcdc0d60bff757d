/** A message: which actor to run, with which arguments and options. Immutable; `with()` returns a changed copy. */
import type { CancelAnswer, CancelOptions } from './cancellation/answer.js'
import { expected, refuseUnknown, show } from './checks.js'
import type { Fitting, Piped, Step, StepsOf } from './composition/step-types.js'
import type { Duration } from './duration.js'
import { type Body, checkWireMessage, getEncoder, type WireMessage } from './encoder.js'
import { DecodeError, DramatisError, ResultError } from './errors.js'
import { explainFields, fieldNames, type MessageFields } from './message-fields.js'
import { markInstances, shared } from './registry.js'
import type { Deduplicated, Survivor } from './state/survivor.js'
import type { LogLine, Progress } from './status/report.js'
import type { MessageStatus, StatusSource } from './status/status.js'
import type { WatchOptions } from './status/watch-options.js'
import { messageOf } from './thrown.js'
import { uuid } from './uuid.js'

const nothing: Readonly<Record<string, unknown>> = Object.freeze({})

/** The broker of a message. */
export interface ResultSource extends StatusSource {
  cancel(message: Message, options: CancelOptions): Promise<CancelAnswer>
  readonly results: { get(message: Message, options: { timeout?: Duration | undefined }): Promise<unknown> } | undefined
}

const defaults = shared('default result source', (): { get: (() => ResultSource) | undefined } => ({ get: undefined }))

/** Provides the source for messages that were created for no broker. Called by the module of the default broker. */
export function provideResultSource(get: () => ResultSource): void {
  defaults.get = get
}

const piping = shared('pipe', (): { pipe: ((message: Message, next: unknown) => unknown) | undefined } => ({
  pipe: undefined,
}))

/** Provides what `pipe` makes. Called by the module of pipelines. */
export function providePipe(pipe: (message: Message, next: unknown) => unknown): void {
  piping.pipe = pipe
}

/** What checks the arguments of a message before it is sent: the rules of its actor. */
export interface ArgumentCheck {
  check(message: Message): Promise<unknown> | undefined
}

/**
 * @typeParam R What the actor returns, and `result()` resolves to.
 * @typeParam Takes What it takes from the step before it in a pipeline.
 */
// biome-ignore lint/suspicious/noExplicitAny: a message of any actor
export class Message<R = unknown, Takes = any> implements MessageFields {
  readonly queueName: string
  readonly actorName: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
  readonly messageId: string
  readonly messageTimestamp: number
  /** Only carries the type of the result. */
  declare readonly _result?: R
  /** Only carries the type of what it takes. */
  declare readonly _takes?: { readonly value: Takes }
  /** The broker it was created for, if that isn't the default one. */
  #origin: ResultSource | undefined
  #argumentCheck: ArgumentCheck | undefined
  #deduplicated: Deduplicated | false = false
  /** The number of its options, and the name of one: see `option`. */
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

  /** The fast path: every message passes it. */
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
  with(changes: { readonly [K in keyof MessageFields]?: MessageFields[K] | undefined }): Message<R, Takes> {
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
    const copy = new Message<R, Takes>({ queueName, actorName, args, kwargs, options, messageId, messageTimestamp })
    copy.#origin = this.#origin
    if (actorName === this.actorName) copy.#argumentCheck = this.#argumentCheck
    return copy
  }

  /**
   * Whether the send of a unique message found another one with its key: `'skipped'`, nothing was stored; `'replaced'`,
   * the waiting message got its arguments and its delay; `'rerun'`, it runs after the message that is running. Then
   * `messageId` is that of the message that runs.
   */
  get deduplicated(): Deduplicated | false {
    return this.#deduplicated
  }

  /**
   * The message that its send stands for.
   * @internal
   */
  standingFor(survivor: Survivor | undefined): Message<R, Takes> {
    if (!survivor) return this
    const message = this.with({ messageId: survivor.messageId })
    message.#deduplicated = survivor.deduplicated
    return message
  }

  /**
   * Binds a message to the broker it was created for, which `result()` uses.
   * @param argumentCheck What its actor's schemas say of its arguments, if it has any.
   */
  static of<R>(fields: MessageFields, broker: ResultSource, argumentCheck?: ArgumentCheck): Message<R> {
    const message = new Message<R>(fields)
    message.#origin = broker
    message.#argumentCheck = argumentCheck
    return message
  }

  /**
   * Checks its arguments before it is sent, if its actor has a schema. A promise if a schema is async.
   * @throws {InvalidArguments}
   * @internal
   */
  checkArguments(): Promise<unknown> | undefined {
    return this.#argumentCheck?.check(this)
  }

  /**
   * One of its options, by its name on the wire. Faster than a lookup in `options`: most messages have one option at
   * most, and many are looked up for each message.
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

  /**
   * A pipeline of this message and another step, which takes its result as its last argument.
   * @example await add.message(1, 2).pipe(add.message(3)).run()
   */
  pipe<N extends Step>(next: N & Fitting<N, R>): Piped<[R, ...StepsOf<N>], Takes> {
    return piping.pipe?.(this, next) as Piped<[R, ...StepsOf<N>], Takes>
  }

  /**
   * The broker it was created for, if that isn't the default one.
   * @internal
   */
  get origin(): ResultSource | undefined {
    return this.#origin
  }

  /** The seven fields of the wire format. */
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

  /** In JSON a message is its wire form, so that messages nest in options and arguments as in Python. */
  toJSON(): WireMessage {
    return this.toWire()
  }

  /** The body that brokers store. */
  encode(): Body {
    return getEncoder().encode(this.toWire())
  }

  /**
   * Decodes a body.
   * @throws {DecodeError} if it isn't a message.
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
   * Creates a message from its wire form, which is checked.
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
   * Waits for the result of the actor. Only for actors with `storeResults`.
   *
   * @param options.timeout How long to wait; 0 reads once. @default '10s'
   * @throws {ResultTimeout} if there is none within that time, {ResultMissing} if there is none with a timeout of 0,
   * {ResultFailure} if the actor failed permanently.
   */
  async result(options: { timeout?: Duration | undefined } = {}): Promise<R> {
    refuseUnknown(options, ['timeout'], 'result()')
    const { timeout = 10_000 } = options
    const backend = (this.#origin ?? defaults.get?.())?.results
    if (!backend) {
      throw new ResultError(
        'This broker keeps no results: add the Results middleware, broker.use(new Results({ backend })).',
      )
    }
    return (await backend.get(this, { timeout })) as R
  }

  /** Cancels it, from any process; see `broker.cancel()`. */
  async cancel(options: CancelOptions = {}): Promise<CancelAnswer> {
    return this.#broker.cancel(this, options)
  }

  /** Its status; see `broker.status()`. Only for messages with `trackStatus`. */
  async status(): Promise<MessageStatus> {
    return this.#broker.status(this.messageId)
  }

  /** Its progress, the last one first, until it ends; see `broker.progress()`. Only for messages with `trackStatus`. */
  progress(options?: WatchOptions): AsyncGenerator<Progress, MessageStatus, undefined> {
    return this.#broker.progress(this.messageId, options)
  }

  /** What its actor wrote with `current().log()`, oldest line first. Only for messages with `trackStatus`. */
  async logs(): Promise<readonly LogLine[]> {
    return this.#broker.logs(this.messageId)
  }

  get #broker(): ResultSource {
    const broker = this.#origin ?? defaults.get?.()
    if (!broker) throw new DramatisError('This message has no broker: import "dramatis", or set one.')
    return broker
  }
}

markInstances(Message, 'message')

/** Checks that a value is a Message, before it is sent. */
export function assertMessage(value: unknown): asserts value is Message {
  if (!(value instanceof Message)) {
    throw new DramatisError(
      `Expected a Message; got ${show(value)}. Make one with actor.message(…) or new Message({ … }).`,
    )
  }
}
