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
  /** Creates a message for a step of a pipeline, which takes its last argument from the step before. */
  message(...args: AllButLast<A>): Message<R, LastOf<A>>
  /** Creates a message without sending it. */
  message(...args: A): Message<R, LeftOf<A>>
  /** Creates a message for a step of a pipeline that ignores the result of the step before. */
  messageWithOptions(options: OptionsFor<A> & { pipeIgnore: true }): Message<R, unknown>
  /** Creates a message for a step of a pipeline, which takes its last argument from the step before. */
  messageWithOptions(...options: SendArguments<AllButLast<A>>): Message<R, LastOf<A>>
  /** Creates a message with its own options. A `delay` is that of a step of a pipeline; `enqueue` has its own. */
  messageWithOptions(...options: SendArguments<A>): Message<R, LeftOf<A>>
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

/** The options of a message; the arguments may be omitted if the function needs none. */
type OptionsFor<A extends readonly unknown[]> = SendArguments<A> extends [options?: infer O] ? NonNullable<O> : never

/** The required arguments. */
type RequiredOf<A extends readonly unknown[]> = A extends readonly [infer First, ...infer Rest]
  ? [First, ...RequiredOf<Rest>]
  : []

/** The required arguments without the last one; nothing fits if there is none. */
type AllButLast<A extends readonly unknown[]> = number extends A['length']
  ? // biome-ignore lint/suspicious/noExplicitAny: an open list
    any[]
  : RequiredOf<A> extends [...infer Start, unknown]
    ? Start
    : [never]

/** The last required argument, which the step before gives; of an open list, anything. */
type LastOf<A extends readonly unknown[]> = number extends A['length']
  ? // biome-ignore lint/suspicious/noExplicitAny: an open list
    any
  : RequiredOf<A> extends [...unknown[], infer Last]
    ? Last
    : never

/** What a message with all its arguments takes: nothing, unless more are possible. */
// biome-ignore lint/suspicious/noExplicitAny: any of the optional arguments
type LeftOf<A extends readonly unknown[]> = number extends A['length'] ? any : IsFixed<A> extends true ? never : any

/** Whether no argument is optional. */
type IsFixed<A extends readonly unknown[]> = A extends Required<A> ? (Required<A> extends A ? true : false) : false

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
