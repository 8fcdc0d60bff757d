/**
 * `actor()`: a typed function that can also be sent.
 *
 * An actor belongs to a broker from its first use on (a send, or a worker that starts), not from its declaration, so
 * `setBroker()` may come before or after the import of the actors.
 */

import type { ActorOptions, MessageOptions } from './actor-options.js'
import type { Broker } from './broker.js'
import { getBroker } from './default-broker.js'
import { checkSerializable } from './encoder.js'
import { InvalidName, InvalidOption } from './errors.js'
import { Message } from './message.js'
import type { AnyActor } from './middleware.js'
import { expected, readActorOptions, readMessageOptions } from './options.js'
import { checkActorName, checkQueueName } from './queue-names.js'
import { shared } from './registry.js'
import { type Duration, parseDuration, show } from './time.js'

/** What one message is made of: its arguments, and what is special about it. */
export interface SendOptions<A extends readonly unknown[]> extends MessageOptions {
  /** The arguments, as the function takes them. */
  args: A
  /** Python's keyword arguments, for actors that live there. An actor of ours gets them as one object after `args`. */
  kwargs?: Record<string, unknown>
  /** How long until it may run. */
  delay?: Duration
  /** Goes onto the wire untouched, over everything else: for options that dramatis doesn't know. */
  options?: Record<string, unknown>
}

/** The arguments may be left out where the function needs none. */
export type SendArguments<A extends readonly unknown[]> = [] extends A
  ? [options?: Omit<SendOptions<A>, 'args'> & { args?: A }]
  : [options: SendOptions<A>]

/** Sends messages to an actor, wherever it lives. */
export interface ActorHandle<A extends readonly unknown[], R> {
  readonly actorName: string
  readonly queueName: string
  /** The options it was declared with, in their normal form: durations in milliseconds, actors as names. */
  readonly options: Readonly<Record<string, unknown>>
  /** The broker it belongs to; asking binds it. */
  readonly broker: Broker

  /** Sends a message; resolved means stored. */
  send(...args: A): Promise<Message<R>>
  /** Sends a message with options of its own. */
  sendWithOptions(...options: SendArguments<A>): Promise<Message<R>>
  /** Sends a message for each list of arguments in one go: all are stored or, when it rejects, none. */
  sendMany(argLists: readonly A[], options?: Omit<SendOptions<A>, 'args'>): Promise<Message<R>[]>
  /** Makes a message without sending it. */
  message(...args: A): Message<R>
  /** Makes a message with options of its own; a `delay` is left to whoever enqueues it. */
  messageWithOptions(...options: SendArguments<A>): Message<R>
}

/** An actor: the function itself, which can also be sent. */
export interface Actor<A extends readonly unknown[], R> extends ActorHandle<A, R> {
  (...args: A): R | Promise<R>
  /** The function it was made of. */
  readonly fn: (...args: A) => R | Promise<R>
}

/** What actors and remote actors have in common. */
class Handle<A extends readonly unknown[], R> implements ActorHandle<A, R> {
  readonly actorName: string
  readonly queueName: string
  readonly options: Readonly<Record<string, unknown>>
  /** What hooks get to see as the actor: the callable one, where there is one. */
  self = this as unknown as AnyActor
  /** What else binding does: an actor declares itself, a remote one has nothing to declare but its queue. */
  onBind = (broker: Broker): void => broker.declareQueue(this.queueName)
  #broker: Broker | undefined

  constructor({ actorName, queueName = 'default', broker: _, ...rest }: ActorOptions) {
    checkActorName(actorName)
    checkQueueName(queueName)
    if (/\.[DX]Q$/.test(queueName)) {
      throw new InvalidName(
        `A queue can't be called "${queueName}": .DQ and .XQ mean a queue's delayed and dead messages.`,
      )
    }
    this.actorName = actorName
    this.queueName = queueName
    this.options = readActorOptions(rest, `actor "${actorName}"`)
  }

  bind(broker: Broker): void {
    this.onBind(broker)
    this.#broker = broker
    bound.set(this.self, broker)
  }

  get broker(): Broker {
    if (!this.#broker) this.bind(getBroker())
    return this.#broker as Broker
  }

  message(...args: A): Message<R> {
    return this.#make(args, undefined, {})
  }

  messageWithOptions(...[given = {}]: SendArguments<A>): Message<R> {
    const { args = [], kwargs, delay: _, options, ...own } = given as Partial<SendOptions<A>>
    if (!Array.isArray(args)) {
      throw new InvalidOption(`Expected "args" to be an array, as in { args: [1, 2] }; got ${show(args)}.`, 'args')
    }
    checkObject(kwargs, 'kwargs')
    checkObject(options, 'options')
    const wire = readMessageOptions(own, `a message for "${this.actorName}"`)
    if (!options) return this.#make(args, kwargs, wire)
    checkSerializable(options, 'options')
    return this.#make(args, kwargs, { ...wire, ...options })
  }

  async send(...args: A): Promise<Message<R>> {
    const message = this.#make(args, undefined, {})
    await this.broker.enqueueEntries([{ message }])
    return message
  }

  async sendWithOptions(...options: SendArguments<A>): Promise<Message<R>> {
    const message = this.messageWithOptions(...options)
    await this.broker.enqueueEntries([{ message, delay: readDelay(options[0]?.delay) }])
    return message
  }

  async sendMany(argLists: readonly A[], options: Omit<SendOptions<A>, 'args'> = {}): Promise<Message<R>[]> {
    const messages = argLists.map((args) =>
      this.messageWithOptions(...([{ ...options, args }] as unknown as SendArguments<A>)),
    )
    const delay = readDelay(options.delay)
    if (messages.length > 0) await this.broker.enqueueEntries(messages.map((message) => ({ message, delay })))
    return messages
  }

  #make(
    args: readonly unknown[],
    kwargs: Record<string, unknown> | undefined,
    own: Record<string, unknown>,
  ): Message<R> {
    const { broker, actorName, queueName } = this
    // Trailing undefined is an argument left out; elsewhere it would arrive as null, which the check below refuses.
    let end = args.length
    while (end > 0 && args[end - 1] === undefined) end--
    const given = end === args.length ? args : args.slice(0, end)
    checkSerializable(given, 'args')
    if (kwargs) checkSerializable(kwargs, 'kwargs')
    // The one option that a broker has to see in the message itself, wherever it was given.
    const { priority } = this.options
    if (priority !== undefined && own.broker_priority === undefined) own.broker_priority = priority
    const options = broker.chain.updateOptions(own, this.self, broker)
    return Message.of<R>({ actorName, queueName, args: given, kwargs, options }, broker)
  }
}

function checkObject(value: unknown, name: string): void {
  if (value === undefined || (typeof value === 'object' && !Array.isArray(value))) return
  throw expected('an object', value, name)
}

function readDelay(delay: Duration | undefined): number | undefined {
  return delay === undefined ? undefined : parseDuration(delay, 'delay')
}

/** The brokers that actors belong to by now. */
const bound = shared('brokers of actors', () => new WeakMap<AnyActor, Broker>())

/** The broker an actor belongs to by now; unlike to ask the actor, it doesn't bind it. */
export function boundBroker(actor: AnyActor): Broker | undefined {
  return bound.get(actor)
}

/** The actors that wait for their first use to be bound. */
const unbound = shared('unbound actors', () => new Set<Handle<never, unknown>>())

/** Every actor of this thread by name, whatever its broker: what a worker thread finds its functions by. */
const declared = shared('declared actors', () => new Map<string, AnyActor[]>())

/** The actor of that name, of that queue rather than another. */
export function findActor(actorName: string, queueName: string): AnyActor | undefined {
  const namesakes = declared.get(actorName) ?? []
  return namesakes.findLast((one) => one.queueName === queueName) ?? namesakes.at(-1)
}

/** Binds every actor that no broker was named for and that wasn't used yet: what a worker does when it starts. */
export function bindActors(broker: Broker): void {
  for (const handle of unbound) handle.bind(broker)
}

/**
 * Makes an actor of a function.
 *
 * What it is sent must be JSON, and so must be what it returns where the result is wanted.
 *
 * @example
 * export const add = actor(function add(a: number, b: number) { return a + b }, { maxRetries: 3 })
 * await add.send(1, 2)
 *
 * @throws {InvalidOption} for an unknown option or an unusable value, {InvalidName} for a name the wire doesn't allow.
 */
// biome-ignore lint/suspicious/noExplicitAny: any function can be an actor; its own types are kept
export function actor<F extends (...args: any[]) => unknown>(
  fn: F,
  options: ActorOptions = {},
): F & Actor<Parameters<F>, Awaited<ReturnType<F>>> {
  type A = Parameters<F>
  type R = Awaited<ReturnType<F>>
  if (typeof fn !== 'function')
    throw new InvalidOption(`Expected a function to make an actor of; got ${show(fn)}.`, 'fn')
  const handle = new Handle<A, R>({ actorName: fn.name, ...options })
  const made = function (this: unknown, ...args: A): unknown {
    return fn.apply(this, args)
  } as unknown as F & Actor<A, R>
  Object.defineProperties(made, {
    name: { value: fn.name || handle.actorName },
    length: { value: fn.length },
    fn: { value: fn },
    actorName: { value: handle.actorName },
    queueName: { value: handle.queueName },
    options: { value: handle.options },
    broker: { get: () => handle.broker },
    send: { value: handle.send.bind(handle) },
    sendWithOptions: { value: handle.sendWithOptions.bind(handle) },
    sendMany: { value: handle.sendMany.bind(handle) },
    message: { value: handle.message.bind(handle) },
    messageWithOptions: { value: handle.messageWithOptions.bind(handle) },
  })
  handle.self = made as AnyActor
  handle.onBind = (broker) => {
    broker.declareActor(made)
    unbound.delete(handle as Handle<never, unknown>)
  }
  if (options.broker) handle.bind(options.broker)
  else unbound.add(handle as Handle<never, unknown>)
  const namesakes = declared.get(handle.actorName)
  if (namesakes) namesakes.push(made as AnyActor)
  else declared.set(handle.actorName, [made as AnyActor])
  return made
}

/**
 * A typed handle on an actor that lives elsewhere: in another service, in Python.
 *
 * @example
 * const add = remoteActor<[a: number, b: number], number>('add', { queueName: 'python' })
 * const sum = await (await add.send(1, 2)).result()
 */
export function remoteActor<A extends readonly unknown[] = unknown[], R = unknown>(
  actorName: string,
  options: Omit<ActorOptions, 'actorName'> = {},
): ActorHandle<A, R> {
  const handle = new Handle<A, R>({ ...options, actorName })
  if (options.broker) handle.bind(options.broker)
  return handle
}
