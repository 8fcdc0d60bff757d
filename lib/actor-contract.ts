/** What an actor is for those who send to it: a function with a name, a queue and options. actor.ts creates actors. */
import type { MessageOptions } from './actor-options.js'
import type { Broker } from './broker.js'
import type { Duration } from './duration.js'
import type { Message } from './message.js'
import type { ArgumentRules } from './validation/argument-rules.js'

/** The arguments of one message, and its own options. */
export interface SendOptions<A extends readonly unknown[]> extends MessageOptions {
  /** The arguments, as the function takes them. */
  args: Readonly<A>
  /** Python's keyword arguments, for actors in Python. An actor in Node receives them as one object after `args`. */
  kwargs?: Record<string, unknown> | undefined
  /** The delay until it may run. */
  delay?: Duration | undefined
  /** Copied onto the wire unchanged, and over everything else: for options that dramatis doesn't know. */
  options?: Record<string, unknown> | undefined
}

/** The arguments are optional if the function needs none. */
export type SendArguments<A extends readonly unknown[]> = [] extends A
  ? [options?: Omit<SendOptions<A>, 'args'> & { args?: Readonly<A> | undefined }]
  : [options: SendOptions<A>]

/** Sends messages to an actor, wherever it runs. */
export interface ActorHandle<A extends readonly unknown[], R> {
  readonly actorName: string
  readonly queueName: string
  /** The options of its declaration in their normal form: durations in milliseconds, actors as names. */
  readonly options: Readonly<Record<string, unknown>>
  /** The broker it belongs to. Reading it binds the actor. */
  readonly broker: Broker

  /** Sends a message. Resolves once it is stored. */
  send(...args: A): Promise<Message<R>>
  /** Sends a message with its own options. */
  sendWithOptions(...options: SendArguments<A>): Promise<Message<R>>
  /** Sends a message for each list of arguments in one operation: all are stored or, if it rejects, none. */
  sendMany(argLists: readonly Readonly<A>[], options?: Omit<SendOptions<A>, 'args'>): Promise<Message<R>[]>
  /** Creates a message without sending it. */
  message(...args: A): Message<R>
  /** Creates a message with its own options. A `delay` is up to the caller that enqueues it. */
  messageWithOptions(...options: SendArguments<A>): Message<R>
}

/** How the messages of a batch actor are run together. */
export interface BatchSettings {
  /** The most messages of a batch. */
  readonly size: number
  /** How long the first message of a batch waits for others, in milliseconds. */
  readonly linger: number
  /** Whether a message that failed before runs in a batch of its own. */
  readonly retryAlone: boolean
}

/**
 * An actor: the function itself, which can also be sent.
 *
 * @typeParam A The arguments that are sent.
 * @typeParam P The arguments of the function, which differ if a schema transforms them.
 */
export interface Actor<A extends readonly unknown[], R, P extends readonly unknown[] = A> extends ActorHandle<A, R> {
  (...args: P): R | Promise<R>
  /** The function it was created from. */
  readonly fn: (...args: P) => R | Promise<R>
  /** How its messages are run together, if it is a batch actor. */
  readonly batch?: BatchSettings | undefined
  /** @internal */
  readonly argumentRules?: ArgumentRules | undefined
}

/**
 * A batch actor: a function of many items, each of which is sent as a message of its own.
 *
 * @typeParam T An item as it is sent.
 * @typeParam R What a message returns.
 * @typeParam I An item as the function receives it, which differs if a schema transforms it.
 */
export interface BatchActor<T, R, I = T> extends ActorHandle<[item: T], R> {
  /** The function it was created from. */
  readonly fn: (items: I[]) => unknown
  /** How its messages are run together. */
  readonly batch: BatchSettings
}
