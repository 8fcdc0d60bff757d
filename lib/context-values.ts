/**
 * Context values: what the code that sends has in an `AsyncLocalStorage` (a request id, a tenant), and the actor has as
 * well. They travel in the option `context` of the message, an object of names and JSON values, which Python ignores.
 *
 * Nothing here is called for a message until a value is registered, or a message that carries some is run.
 */
import type { AsyncLocalStorage } from 'node:async_hooks'
import { checkMethods, expected } from './checks.js'
import { checkSerializable } from './encoder.js'
import { DramatisError } from './errors.js'
import type { IsJSON, JSONProblem } from './json-types.js'
import { Message } from './message.js'
import { shared } from './registry.js'

/** How a context value is read where a message is created, and restored where its actor runs. */
export interface ContextValue<T = unknown> {
  /**
   * Called when an actor creates a message, with `send` for example. Returns the value, which must be JSON, or
   * `undefined` if there is none to send.
   */
  get(): T | undefined
  /**
   * Called around the actor if its message carries the value: calls `next` where `get` finds the value. It may be async.
   * The outcome is that of the actor, whatever `run` returns; if `run` throws, the attempt fails with that error.
   */
  run(value: T, next: () => Promise<unknown>): unknown
}

type Context = Readonly<Record<string, unknown>>

/** `unknown` if JSON can represent `T`; otherwise a text that says why not. */
type Sendable<T> = IsJSON<T> extends true ? unknown : JSONProblem<T, 'value'>

/** An `AsyncLocalStorage`. Its `run` is left out: the compiler would take it for that of a `ContextValue`. */
type Storage<T> = Pick<AsyncLocalStorage<T>, 'getStore' | 'enterWith'>

/** The state of all copies of the package in this thread. */
export const contexts = shared('context values', () => ({
  /** The registered values by name; the first one is restored outermost. */
  values: new Map<string, ContextValue>(),
  /** Whether messages may have a context. Read for every message that is created. */
  inUse: false,
  /** The message that the one being created follows, if it is created by us and not by the user's code. */
  preceding: undefined as Message | undefined,
}))

/**
 * Registers a value that travels with messages: from the code that sends to the actor, and on to what the actor sends,
 * to retries, callbacks and the next steps of pipelines. Registering a name again replaces what was registered.
 *
 * Register it in a module that both the sender and the actors import: each worker thread registers its own.
 *
 * @param name The name of the value on the wire.
 * @param source The storage whose store is the value, or functions that read and restore it.
 * @example
 * const requestId = new AsyncLocalStorage<string>()
 * contextValue('requestId', requestId)
 * @example
 * contextValue('tenant', {
 *   get: () => request.getStore()?.tenant,
 *   run: (tenant, next) => request.run({ tenant }, next),
 * })
 * @throws {InvalidOption} for a name that is no text, or a source without these functions.
 */
export function contextValue<T>(name: string, source: (ContextValue<T> | Storage<T>) & Sendable<T>): void {
  if (typeof name !== 'string' || name === '') throw expected('a text, such as "requestId"', name, 'name')
  contexts.values.set(
    name,
    (isStorage(source) ? ofStorage(source) : checked(source as ContextValue<T>)) as ContextValue,
  )
  contexts.inUse = true
}

function isStorage<T>(source: ContextValue<T> | Storage<T>): source is AsyncLocalStorage<T> {
  return typeof (source as { getStore?: unknown } | null | undefined)?.getStore === 'function'
}

function ofStorage<T>(storage: AsyncLocalStorage<T>): ContextValue<T> {
  return { get: () => storage.getStore(), run: (value, next) => storage.run(value, next) }
}

function checked<T>(source: ContextValue<T>): ContextValue<T> {
  checkMethods(source, ['get', 'run'], 'source', 'an AsyncLocalStorage, or an object with the functions get and run')
  return source
}

// — Creating messages ————————————————————————————————————————————————————————————————————————————————————

/**
 * Adds the context to the options of a message that is being created, unless they have one.
 *
 * @param parent The message of the actor that creates it, if one does: values that aren't registered here are passed on.
 * @throws {NotSerializable} for a value that isn't JSON, with its name.
 */
export function addContext(options: Record<string, unknown>, parent: Message | undefined): void {
  if (options.context !== undefined) return
  const context = contexts.preceding ? contextOf(contexts.preceding) : capture(contextOf(parent))
  if (context) options.context = context
}

function capture(received: Context | undefined): Context | undefined {
  const entries: [name: string, value: unknown][] = []
  for (const [name, source] of contexts.values) {
    const value = source.get()
    if (value !== undefined) entries.push([name, value])
  }
  // Defines its properties, so that no name can set a prototype.
  checkSerializable(Object.fromEntries(entries), 'context')
  for (const name in received) if (!contexts.values.has(name)) entries.push([name, received[name]])
  return entries.length > 0 ? Object.fromEntries(entries) : undefined
}

/** Creates a message that follows another, such as a callback: it has the context of that one. */
export function createAfter(preceding: Message, create: () => Message): Message {
  const before = contexts.preceding
  if (contextOf(preceding)) contexts.inUse = true
  contexts.preceding = preceding
  try {
    return create()
  } finally {
    contexts.preceding = before
  }
}

/** A message with the context of the one that it follows, unless it was created with its own. */
export function inheritContext(message: Message, preceding: Message): Message {
  const context = contextOf(preceding)
  if (!context || !(message instanceof Message) || message.options.context !== undefined) return message
  return message.with({ options: { ...message.options, context } })
}

/** The values that a message carries. Another producer may mean something else by the option, which is left alone. */
function contextOf(message: Message | undefined): Context | undefined {
  const context = message?.option('context')
  return typeof context === 'object' && context !== null && !Array.isArray(context) ? (context as Context) : undefined
}

// — Running actors ———————————————————————————————————————————————————————————————————————————————————————

/** Runs an actor's function within the values that its message carries and that are registered here. */
export function runInContext(message: Message, run: () => unknown): unknown {
  const context = contextOf(message)
  if (!context) return run()
  contexts.inUse = true
  const sources = [...contexts.values].filter(([name]) => Object.hasOwn(context, name))
  return sources.length > 0 ? restore(sources, context, async () => run()) : run()
}

async function restore(
  [first, ...rest]: readonly (readonly [name: string, source: ContextValue])[],
  context: Context,
  run: () => Promise<unknown>,
): Promise<unknown> {
  if (!first) return run()
  const [name, source] = first
  let inner: Promise<unknown> | undefined
  const next = (): Promise<unknown> => {
    if (inner) throw new DramatisError(`next() was called more than once by "run" of the context value "${name}".`)
    inner = restore(rest, context, run)
    // It is awaited below, but perhaps only after it has failed.
    inner.catch(() => {})
    return inner
  }
  try {
    await source.run(context[name], next)
  } catch (error) {
    await inner
    throw error
  }
  if (!inner) throw new DramatisError(`"run" of the context value "${name}" must call next(), which runs the actor.`)
  return inner
}
