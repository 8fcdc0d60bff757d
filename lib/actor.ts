/**
 * `actor()`: a typed function that can also be sent.
 *
 * An actor without a `broker` belongs to the broker that is the default when the actor is used (for a send, or by a
 * worker that starts). So `setBroker()` may be called before or after the actors are imported.
 */

import type { ActorHandle, BatchSettings, SendArguments, SendOptions } from './actor-contract.js'
import type { ActorOptions } from './actor-options.js'
import type { Broker } from './broker.js'
import { checkBroker, checkSettings, expected, show } from './checks.js'
import { addContext, contexts } from './context-values.js'
import { callDirectly, parentMessage } from './current.js'
import { declare, declareOn, maySendBeside } from './declarations.js'
import { getBroker, peekSetBroker } from './default-broker.js'
import type { Duration } from './duration.js'
import { checkSerializable } from './encoder.js'
import { ActorExists, InvalidName, InvalidOption } from './errors.js'
import { Message } from './message.js'
import type { AnyActor } from './middleware.js'
import { readActorOptions, readMessageOptions, stampOptions, stampsMessages } from './options.js'
import { checkActorName, checkNameIsKept, checkQueueName } from './queue-names.js'
import { checkRunnable } from './runnable.js'
import { parseDuration } from './time.js'
import { ArgumentRules } from './validation/argument-rules.js'
import type {
  ActorOf,
  ArgumentSchema,
  FunctionOf,
  InputsOf,
  RunnableWith,
  SendableInputs,
} from './validation/argument-types.js'

/** Common to actors and remote actors. */
class Handle<A extends readonly unknown[], R> implements ActorHandle<A, R> {
  readonly actorName: string
  readonly queueName: string
  readonly options: Readonly<Record<string, unknown>>
  readonly argumentRules: ArgumentRules | undefined
  /** What hooks receive as the actor: the callable one, if there is one. */
  self = this as unknown as AnyActor
  /** What binding also does: an actor declares itself, a remote actor only its queue. */
  onBind = (broker: Broker): void => broker.declareQueue(this.queueName)
  /** The broker it was given, if any. */
  readonly #pinned: Broker | undefined
  #broker: Broker | undefined
  /** Whether each of its messages carries options of the actor. */
  readonly #stamps: boolean

  constructor({ actorName, queueName = 'default', broker, ...rest }: ActorOptions) {
    checkActorName(actorName)
    if (broker !== undefined) checkBroker(broker)
    checkQueueName(queueName)
    if (/\.[DX]Q$/.test(queueName)) {
      throw new InvalidName(
        `A queue can't be called "${queueName}": .DQ and .XQ mean a queue's delayed and dead messages.`,
      )
    }
    this.actorName = actorName
    this.queueName = queueName
    this.options = readActorOptions(rest, `actor "${actorName}"`)
    this.argumentRules = ArgumentRules.of(actorName, this.options)
    this.#pinned = broker
    this.#stamps = stampsMessages(this.options)
  }

  bind(broker: Broker): void {
    this.onBind(broker)
    this.#broker = broker
  }

  get broker(): Broker {
    const set = peekSetBroker()
    const bound = this.#broker
    if (bound !== undefined && (set === undefined || set === bound || this.#pinned !== undefined)) return bound
    return this.#bindToSend(set ?? getBroker())
  }

  #bindToSend(broker: Broker): Broker {
    try {
      this.bind(broker)
    } catch (error) {
      if (!(error instanceof ActorExists) || !maySendBeside(this.self, broker.actors.get(this.actorName))) throw error
      broker.declareQueue(this.queueName)
      this.#broker = broker
    }
    return broker
  }

  message(...args: readonly unknown[]): Message<R> {
    return this.#make(args, undefined, {})
  }

  /** The delay of a step is an option on the wire, as in Dramatiq; pipelines read it. */
  messageWithOptions(given: Partial<SendOptions<readonly unknown[]>> = {}): Message<R> {
    const message = this.#makeWithOptions(given)
    const delay = readDelay(given?.delay)
    return delay === undefined ? message : message.with({ options: { ...message.options, delay } })
  }

  #makeWithOptions(given: Partial<SendOptions<readonly unknown[]>> = {}): Message<R> {
    checkMessageOptions(given)
    const { args = [], kwargs, delay: _, options, ...own } = given
    if (!Array.isArray(args)) {
      throw new InvalidOption(`Expected "args" to be an array, as in { args: [1, 2] }; got ${show(args)}.`, 'args')
    }
    if (kwargs !== undefined) checkMessageOptions(kwargs, 'kwargs')
    if (options !== undefined) checkMessageOptions(options, 'options')
    const wire = readMessageOptions(own, `a message for "${this.actorName}"`)
    if (!options) return this.#make(args, kwargs, wire)
    checkSerializable(options, 'options')
    return this.#make(args, kwargs, { ...wire, ...options })
  }

  async send(...args: A): Promise<Message<R>> {
    const message = this.#make(args, undefined, {})
    const survivors = await this.broker.enqueueEntries([{ message }])
    return survivors ? message.standingFor(survivors[0]) : message
  }

  async sendWithOptions(...options: SendArguments<A>): Promise<Message<R>> {
    const message = this.#makeWithOptions(options[0])
    const survivors = await this.broker.enqueueEntries([{ message, delay: readDelay(options[0]?.delay) }])
    return survivors ? message.standingFor(survivors[0]) : message
  }

  async sendMany(argLists: readonly Readonly<A>[], options: Omit<SendOptions<A>, 'args'> = {}): Promise<Message<R>[]> {
    checkArgumentLists(argLists, options)
    const messages = argLists.map((args) => this.#makeWithOptions({ ...options, args }))
    const delay = readDelay(options.delay)
    if (messages.length === 0) return messages
    const survivors = await this.broker.enqueueEntries(messages.map((message) => ({ message, delay })))
    return survivors ? messages.map((message, index) => message.standingFor(survivors[index])) : messages
  }

  #make(
    args: readonly unknown[],
    kwargs: Record<string, unknown> | undefined,
    own: Record<string, unknown>,
  ): Message<R> {
    const { broker, actorName, queueName, argumentRules } = this
    // A trailing undefined is an omitted argument. Elsewhere it would arrive as null, which the check below refuses.
    let end = args.length
    while (end > 0 && args[end - 1] === undefined) end--
    const given = end === args.length ? args : args.slice(0, end)
    checkSerializable(given, 'args')
    if (kwargs) checkSerializable(kwargs, 'kwargs')
    if (this.#stamps || hasKeys(own))
      stampOptions(own, { actorName, queueName, args: given, kwargs, actorOptions: this.options })
    argumentRules?.stamp(own)
    if (contexts.inUse) addContext(own, parentMessage())
    const options = broker.chain.updateOptions(own, this.self, broker)
    return Message.of<R>({ actorName, queueName, args: given, kwargs, options }, broker, argumentRules)
  }
}

function hasKeys(object: object): boolean {
  for (const _ in object) return true
  return false
}

function checkMessageOptions(value: unknown, name = 'options'): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  const such = name === 'kwargs' ? '{ verbose: true }' : "{ args: [1, 2], delay: '5m' }"
  throw expected(`an object, such as ${such}`, value, name)
}

function checkArgumentLists(argLists: unknown, options: unknown): void {
  const what = 'an array of lists of arguments, as in [[1, 2], [3, 4]]'
  if (!Array.isArray(argLists)) throw expected(what, argLists, 'argLists')
  for (const [index, args] of argLists.entries()) {
    if (!Array.isArray(args)) throw expected('an array of arguments, as in [1, 2]', args, `argLists[${index}]`)
  }
  checkMessageOptions(options)
  if ('args' in (options as object)) {
    throw new InvalidOption(
      'Expected no "args" among the options of sendMany: the lists are its first argument.',
      'args',
    )
  }
}

function readDelay(delay: Duration | undefined): number | undefined {
  return delay === undefined ? undefined : parseDuration(delay, 'delay')
}

/**
 * Creates an actor from a function.
 *
 * Its arguments must be JSON, and so must its return value if the result is needed.
 *
 * @example
 * export const add = actor(function add(a: number, b: number) { return a + b }, { maxRetries: 3 })
 * await add.send(1, 2)
 *
 * @param options.schema What its arguments must be, as schemas of any Standard Schema library (zod, valibot, arktype, …):
 * the schema of its only argument, or an array with one for each argument. They are validated when they are sent, and
 * again where the actor runs, which receives what the schemas make of them.
 * @example
 * const Order = z.object({ id: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) })
 * export const ship = actor(async function ship({ id, at }) {}, { schema: Order })
 * await ship.send({ id: 1, at: new Date().toISOString() })
 *
 * @throws {InvalidOption} for an unknown option or an invalid value, {InvalidName} for a name that the wire doesn't
 * allow.
 */
export function actor<
  F extends FunctionOf<S>,
  Kept extends boolean | undefined = boolean | undefined,
  const S extends ArgumentSchema | undefined = undefined,
>(
  fn: F & RunnableWith<S, F, Kept>,
  options: ActorOptions & { storeResults?: Kept; schema?: S & SendableInputs<S> } = {},
): F & ActorOf<S, F> {
  checkRunnable(fn)
  checkSettings(options, 'an actor')
  return makeActor(fn, options, actor) as unknown as F & ActorOf<S, F>
}

/**
 * Creates the actor of a function and its options, both checked.
 * @param caller The function that was called to declare it.
 * @param batch How its messages are run together, if it is a batch actor.
 */
export function makeActor(
  // biome-ignore lint/complexity/noBannedTypes: any function
  fn: Function,
  options: ActorOptions,
  // biome-ignore lint/complexity/noBannedTypes: any function
  caller: Function,
  batch?: BatchSettings,
): AnyActor {
  if (options.actorName === undefined) checkNameIsKept(fn.name)
  const handle = new Handle<unknown[], unknown>({ actorName: fn.name, ...options })
  const { actorName, queueName } = handle
  const made = function (this: unknown, ...args: unknown[]): unknown {
    return callDirectly(fn as (...args: unknown[]) => unknown, this, args, { actorName, queueName, batch })
  } as unknown as AnyActor
  // Configurable and writable, as a function's own properties are, so that tests can replace them.
  const own = (value: unknown): PropertyDescriptor => ({ value, writable: true, configurable: true })
  Object.defineProperties(made, {
    name: { value: fn.name || actorName, configurable: true },
    length: { value: fn.length, configurable: true },
    fn: own(fn),
    actorName: { value: actorName },
    queueName: { value: queueName },
    options: { value: handle.options },
    batch: { value: batch },
    argumentRules: { value: handle.argumentRules },
    broker: { get: () => handle.broker, configurable: true },
    send: own(handle.send.bind(handle)),
    sendWithOptions: own(handle.sendWithOptions.bind(handle)),
    sendMany: own(handle.sendMany.bind(handle)),
    message: own(handle.message.bind(handle)),
    messageWithOptions: own(handle.messageWithOptions.bind(handle)),
  })
  handle.self = made
  handle.onBind = (broker) => declareOn(broker, made)
  declare(made, options.broker, (broker) => handle.bind(broker), caller)
  return made
}

type RemoteActorOptions = Omit<ActorOptions, 'actorName' | 'migrate'>

/**
 * A typed handle on an actor that runs elsewhere: in another service, or in Python.
 *
 * @example
 * const add = remoteActor<[a: number, b: number], number>('add', { queueName: 'python' })
 * const sum = await (await add.send(1, 2)).result()
 *
 * @param options.schema As for `actor()`: arguments are validated when they are sent, and typed by it.
 * @param options.version The version of its arguments, which each message carries.
 */
export function remoteActor<const S extends ArgumentSchema, R = unknown>(
  actorName: string,
  options: RemoteActorOptions & { schema: S & SendableInputs<S> },
): ActorHandle<InputsOf<S>, R>
export function remoteActor<A extends readonly unknown[] = unknown[], R = unknown>(
  actorName: string,
  options?: RemoteActorOptions,
): ActorHandle<A, R>
export function remoteActor<A extends readonly unknown[], R>(
  actorName: string,
  options: RemoteActorOptions = {},
): ActorHandle<A, R> {
  checkSettings(options, 'a remote actor')
  const handle = new Handle<A, R>({ ...options, actorName })
  if (options.broker) handle.bind(options.broker)
  return handle
}
