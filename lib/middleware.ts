/**
 * The hook contract, and the chain that calls it in order.
 *
 * A plugin is any object with the hooks it cares about; each may be sync or async. `before…` hooks are called in the
 * order in which the plugins were added, `after…` hooks in the reverse order. All of them are called on the main
 * thread, never on a worker's threads.
 *
 * When a hook fails, that is logged with the plugin's name. A plugin that only watches can't hurt a message: its
 * failure goes no further. One that moves messages or keeps what the sender waits for says `essential = true`:
 * then its failure stops what was going on — a `send` rejects, a message isn't acknowledged but delivered again.
 */
import type { Actor } from './actor.js'
import type { Broker } from './broker.js'
import { DramatisError, HookFailed, Retry, SkipMessage } from './errors.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import type { OptionSpec } from './options.js'
import type { Outcome } from './outcome.js'
import type { ResultBackend } from './results/backend.js'
import type { Worker } from './worker/worker.js'

type Awaitable<T = void> = T | Promise<T>

/** An actor as hooks see it, whatever its types. */
// biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
export type AnyActor = Actor<any[], any>

/** Why a message is given up. */
export interface Rejection {
  readonly reason: string
  /** What the actor or a check threw, where something was thrown. */
  readonly error?: Error | undefined
}

export interface Hooks {
  /** Surrounds the actor, the plugin added first outermost. Call `next` once and return what it returns. */
  aroundProcess(message: Message, next: () => Promise<unknown>, broker: Broker): Awaitable<unknown>

  /** Called before a message is acknowledged. */
  beforeAck(message: Message, broker: Broker): Awaitable
  /** Called after a message was acknowledged. */
  afterAck(message: Message, broker: Broker): Awaitable
  /** Called before a message is dead-lettered. */
  beforeNack(message: Message, rejection: Rejection, broker: Broker): Awaitable
  /** Called after a message was dead-lettered. */
  afterNack(message: Message, rejection: Rejection, broker: Broker): Awaitable

  /** Called before an actor is declared on the broker. */
  beforeDeclareActor(actor: AnyActor, broker: Broker): Awaitable
  /** Called after an actor was declared on the broker. */
  afterDeclareActor(actor: AnyActor, broker: Broker): Awaitable
  /** Called before a queue is declared. */
  beforeDeclareQueue(queueName: string, broker: Broker): Awaitable
  /** Called after a queue was declared. */
  afterDeclareQueue(queueName: string, broker: Broker): Awaitable
  /** Called after the place for a queue's delayed messages was declared. */
  afterDeclareDelayQueue(queueName: string, broker: Broker): Awaitable

  /** Called before a message is enqueued, retries included; `delay` in milliseconds. */
  beforeEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called after a message was enqueued, retries included. */
  afterEnqueue(message: Message, delay: number | undefined, broker: Broker): Awaitable
  /** Called before a message is put aside until its delay is over. */
  beforeDelayMessage(message: Message, delay: number, broker: Broker): Awaitable

  /** Called before an actor runs; throw `SkipMessage` to leave the message undone. */
  beforeProcessMessage(message: Message, broker: Broker): Awaitable
  /** Called after an actor ran, with its result or error, which it may decide upon. */
  afterProcessMessage(message: Message, outcome: Outcome, broker: Broker): Awaitable
  /** Called in place of `afterProcessMessage` when a message was skipped. */
  afterSkipMessage(message: Message, skip: SkipMessage, broker: Broker): Awaitable
  /** Called when a message was interrupted (a shutdown, a thread killed for its neighbour) and goes back, no attempt counted. */
  afterInterruptMessage(message: Message, broker: Broker): Awaitable

  /** Called once in a process, before its first worker starts. */
  afterProcessBoot(broker: Broker): Awaitable
  /** Called before a worker starts; an error here stops it when the plugin is essential. */
  beforeWorkerBoot(worker: Worker): Awaitable
  /** Called after a worker started. */
  afterWorkerBoot(worker: Worker): Awaitable
  /** Called before a worker stops: it still runs what it has in hand. */
  beforeWorkerShutdown(worker: Worker): Awaitable
  /** Called after a worker stopped. */
  afterWorkerShutdown(worker: Worker): Awaitable
  /** Called after the loop that consumes a queue was started (in Dramatiq this is a thread). */
  afterConsumerThreadBoot(queueName: string, worker: Worker): Awaitable
  /** Called before the loop that consumes a queue stops. */
  beforeConsumerThreadShutdown(queueName: string, worker: Worker): Awaitable
  /** Called on the main thread after a worker thread became ready, replacements included. */
  afterWorkerThreadBoot(threadId: number, worker: Worker): Awaitable
  /** Called on the main thread before a worker thread is stopped in good order. */
  beforeWorkerThreadShutdown(threadId: number, worker: Worker): Awaitable

  /** Called when an actor makes a message; gives back the options it shall carry (wire names). Sync. */
  updateOptionsBeforeCreateMessage(
    options: Record<string, unknown>,
    actor: AnyActor,
    broker: Broker,
  ): Record<string, unknown>
}

/** A plugin: some of the hooks, and what it says about itself. */
export interface Middleware extends Partial<Hooks> {
  /** How it is called in the log. @default the name of its class */
  readonly name?: string
  /** Whether a failure of its hooks stops what was going on. @default false */
  readonly essential?: boolean
  /** The options it understands, made known to actors when it is added to a broker. */
  readonly actorOptions?: Readonly<Record<string, OptionSpec>>
  /** Where it keeps results, if it does. */
  readonly results?: ResultBackend
  /**
   * Whether it does something with the result of this message that needs it to be JSON: then one that isn't makes the
   * message fail. A plugin without this method is shown results as well as they can be carried from a thread.
   */
  wantsResult?(message: Message, actor: AnyActor): boolean
  /** How often a message may be delivered without ever being settled (workers that die with it) before it is given up. */
  maxDeliveries?(message: Message, actor: AnyActor): number
}

/** What is needed of a result: that it is JSON, that it is shown as far as possible, or nothing. */
export type WantedResult = 'json' | 'any' | 'none'

/** The class of a plugin, to name a place in the chain by. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any arguments
export type MiddlewareClass = abstract new (...args: any[]) => Middleware

export type HookName = keyof Hooks

/** Before and after of each; the rest run in the order the plugins were added, as `before…` do. */
const hookNames: readonly HookName[] = [
  'aroundProcess',
  'beforeAck',
  'afterAck',
  'beforeNack',
  'afterNack',
  'beforeDeclareActor',
  'afterDeclareActor',
  'beforeDeclareQueue',
  'afterDeclareQueue',
  'afterDeclareDelayQueue',
  'beforeEnqueue',
  'afterEnqueue',
  'beforeDelayMessage',
  'beforeProcessMessage',
  'afterProcessMessage',
  'afterSkipMessage',
  'afterInterruptMessage',
  'afterProcessBoot',
  'beforeWorkerBoot',
  'afterWorkerBoot',
  'beforeWorkerShutdown',
  'afterWorkerShutdown',
  'afterConsumerThreadBoot',
  'beforeConsumerThreadShutdown',
  'afterWorkerThreadBoot',
  'beforeWorkerThreadShutdown',
  'updateOptionsBeforeCreateMessage',
]

interface Implementer {
  readonly plugin: Middleware
  // biome-ignore lint/suspicious/noExplicitAny: the hook's own signature, checked where it is emitted
  readonly call: (...args: any[]) => any
}

export class Chain {
  readonly #plugins: Middleware[] = []
  /** Who implements each hook, in calling order; worked out when a plugin is added, so an empty list costs one look. */
  readonly #implementers = Object.fromEntries(hookNames.map((name) => [name, []])) as unknown as Record<
    HookName,
    readonly Implementer[]
  >

  /** Whether some plugin may look at results without saying when. */
  #showsResults = false

  get plugins(): readonly Middleware[] {
    return this.#plugins
  }

  /**
   * Adds a plugin: at the end, or `before` or `after` the one of that class. A second one of a class takes the
   * place of the first, so that `use(new Retries({ maxRetries: 3 }))` changes the default chain's.
   */
  add(plugin: Middleware, { before, after }: { before?: MiddlewareClass; after?: MiddlewareClass } = {}): void {
    const kind = plugin.constructor
    const twin = kind === Object ? -1 : this.#plugins.findIndex((other) => other.constructor === kind)
    const anchor = before ?? after
    if (anchor && !this.#plugins.some((other) => other instanceof anchor)) {
      throw new DramatisError(`There is no ${anchor.name} in the chain to put ${nameOf(plugin)} beside.`)
    }
    if (twin >= 0) this.#plugins.splice(twin, 1)
    let index = twin >= 0 ? twin : this.#plugins.length
    // Beside its own twin means in its place.
    const beside = anchor ? this.#plugins.findIndex((other) => other instanceof anchor) : -1
    if (beside >= 0) index = after ? beside + 1 : beside
    this.#plugins.splice(index, 0, plugin)
    for (const name of hookNames) this.#implementers[name] = this.#resolve(name)
    this.#showsResults = this.#plugins.some((one) => !one.wantsResult && (one.afterProcessMessage || one.aroundProcess))
  }

  #resolve(name: HookName): readonly Implementer[] {
    const list = this.#plugins
      .filter((plugin) => typeof plugin[name] === 'function')
      .map((plugin) => ({ plugin, call: (plugin[name] as Implementer['call']).bind(plugin) }))
    return name.startsWith('after') ? list.reverse() : list
  }

  /** Whether anyone implements a hook. */
  has(name: HookName): boolean {
    return this.#implementers[name].length > 0
  }

  /**
   * Calls a hook of every plugin that has it. Gives back nothing when all of them were sync (or there are none), so
   * that the caller need not wait; else a promise.
   * @throws {HookFailed} when an essential plugin failed; `SkipMessage` and `Retry` pass as they are, before the actor ran.
   */
  emit<N extends HookName>(name: N, ...args: Parameters<Hooks[N]>): Promise<void> | undefined
  // Spelled out, since an array for the arguments of each call costs more than most hooks do.
  emit(name: HookName, a: unknown, b?: unknown, c?: unknown): Promise<void> | undefined {
    const list = this.#implementers[name]
    for (let index = 0; index < list.length; index++) {
      const { plugin, call } = list[index] as Implementer
      try {
        const pending = call(a, b, c)
        if (pending instanceof Promise) return this.#emitRest(name, [a, b, c], list, index, pending)
      } catch (error) {
        this.#failed(plugin, name, error)
      }
    }
    return undefined
  }

  async #emitRest(
    name: HookName,
    args: unknown[],
    list: readonly Implementer[],
    first: number,
    pending: Promise<unknown>,
  ): Promise<void> {
    for (let index = first; index < list.length; index++) {
      const { plugin, call } = list[index] as Implementer
      try {
        await (index === first ? pending : call(...args))
      } catch (error) {
        this.#failed(plugin, name, error)
      }
    }
  }

  /** What the plugins need of the result of this message. */
  wantsResult(message: Message, actor: AnyActor): WantedResult {
    for (const plugin of this.#plugins) if (plugin.wantsResult?.(message, actor)) return 'json'
    return this.#showsResults ? 'any' : 'none'
  }

  /** How often a message may be delivered, by the strictest plugin; for ever where none has a say. */
  maxDeliveries(message: Message, actor: AnyActor): number {
    return Math.min(
      ...this.#plugins.map((plugin) => plugin.maxDeliveries?.(message, actor) ?? Number.POSITIVE_INFINITY),
    )
  }

  /** Lets every plugin change the options of a message that is being made. */
  updateOptions(options: Record<string, unknown>, actor: AnyActor, broker: Broker): Record<string, unknown> {
    let updated = options
    for (const { plugin, call } of this.#implementers.updateOptionsBeforeCreateMessage) {
      try {
        updated = call(updated, actor, broker) ?? updated
      } catch (error) {
        this.#failed(plugin, 'updateOptionsBeforeCreateMessage', error)
      }
    }
    return updated
  }

  /** Runs `run` within every plugin's `aroundProcess`. */
  around(message: Message, run: () => Promise<unknown>, broker: Broker): Promise<unknown> {
    return this.#implementers.aroundProcess.length === 0 ? run() : this.#layer(0, message, run, broker)
  }

  async #layer(index: number, message: Message, run: () => Promise<unknown>, broker: Broker): Promise<unknown> {
    const list = this.#implementers.aroundProcess
    const layer = list[index]
    if (!layer) return run()
    const { plugin, call } = layer
    let inner: Promise<unknown> | undefined
    const next = (): Promise<unknown> => {
      if (inner) throw new DramatisError(`next() was called more than once in aroundProcess of ${nameOf(plugin)}.`)
      inner = index + 1 < list.length ? this.#layer(index + 1, message, run, broker) : run()
      return inner
    }
    let own: unknown
    try {
      own = await call(message, next, broker)
    } catch (error) {
      if (!(await failedWith(inner, error))) this.#failed(plugin, 'aroundProcess', error)
    }
    if (plugin.essential && inner) return failed(inner).then((lost) => (lost ? inner : own))
    return inner ?? next()
  }

  #failed(plugin: Middleware, hook: HookName, error: unknown): void {
    if (isIntent(error) && (hook === 'beforeProcessMessage' || hook === 'aroundProcess')) throw error
    getLogger().error({ err: error, plugin: nameOf(plugin), hook }, `${hook} of ${nameOf(plugin)} failed`)
    if (plugin.essential)
      throw error instanceof HookFailed ? error : new HookFailed(nameOf(plugin), hook, { cause: error })
  }
}

/**
 * `SkipMessage` and `Retry` say what shall happen; they aren't failures, whoever throws them, as long as it can still
 * happen: around the actor and before. After it, a plugin says it to the `Outcome`.
 */
export function isIntent(error: unknown): error is SkipMessage | Retry {
  return error instanceof SkipMessage || error instanceof Retry
}

function nameOf(plugin: Middleware): string {
  return plugin.name ?? plugin.constructor.name
}

async function failed(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  )
}

async function failedWith(promise: Promise<unknown> | undefined, error: unknown): Promise<boolean> {
  return promise === undefined
    ? false
    : promise.then(
        () => false,
        (reason) => reason === error,
      )
}
