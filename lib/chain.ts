/**
 * The chain of plugins: who implements which hook, and how they are called, in order and with their failures kept
 * where they belong. What each hook means stands in middleware.ts.
 */
import type { Broker } from './broker.js'
import { DramatisError, HookFailed } from './errors.js'
import { loggable, toError } from './failure.js'
import { afterStoredHooks, hooksWithIntents, isIntent } from './hook-failures.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import type { AnyActor, HookName, Hooks, Middleware, MiddlewareClass, WantedResult } from './middleware.js'
import { checkAnchors, checkPlugin } from './plugin-checks.js'
import { asSender, nameOf, seesResults } from './plugins.js'
import { isSameClass } from './registry.js'

/** Before and after of each; the rest run in the order the plugins were added, as `before…` do. */
const hookNames: readonly HookName[] = [
  'aroundProcess',
  'aroundActor',
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
  'beforeSettleMessage',
  'afterSkipMessage',
  'afterInterruptMessage',
  'afterSettleMessage',
  'afterProcessBoot',
  'beforeWorkerBoot',
  'afterWorkerBoot',
  'beforeWorkerShutdown',
  'afterWorkerShutdown',
  'afterConsumerThreadBoot',
  'beforeConsumerThreadShutdown',
  'afterWorkerThreadBoot',
  'beforeWorkerThreadShutdown',
  'afterThreadStart',
  'beforeThreadStop',
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

  /** Those who say when they need a result. */
  #askedForResults: readonly Middleware[] = []
  /** Whether some plugin may look at results without saying when. */
  #showsResults = false
  /**
   * Whether somebody surrounds the processing of messages, or actors where they run; and whether somebody sees to
   * acknowledgements. Asked for every message.
   */
  surrounds = false
  surroundsActors = false
  seesAcks = false
  /** Those with a say in sending, each by its name and its hooks: how plugins are recognised across threads. */
  senders: readonly string[] = []
  /** What `sendersBut` gave back. */
  readonly #rests = new Map<string, Chain>()

  get plugins(): readonly Middleware[] {
    return this.#plugins
  }

  /**
   * Adds a plugin: at the end, or `before` or `after` the one of that class. A second one of a class takes the
   * place of the first, so that `use(new Retries({ maxRetries: 3 }))` changes the default chain's.
   * @returns The one whose place it took.
   */
  add(
    plugin: Middleware,
    where: { before?: MiddlewareClass | undefined; after?: MiddlewareClass | undefined } = {},
  ): Middleware | undefined {
    checkAnchors(where)
    const { before, after } = where
    checkPlugin(plugin, hookNames)
    const kind = plugin.constructor
    const twin = kind === Object ? -1 : this.#plugins.findIndex((other) => isSameClass(other.constructor, kind))
    const anchor = before ?? after
    if (anchor && !this.#plugins.some((other) => isOf(other, anchor))) {
      throw new DramatisError(`There is no ${anchor.name} in the chain to put ${nameOf(plugin)} beside.`)
    }
    const [replaced] = twin >= 0 ? this.#plugins.splice(twin, 1) : []
    let index = twin >= 0 ? twin : this.#plugins.length
    // Beside its own twin means in its place.
    const beside = anchor ? this.#plugins.findIndex((other) => isOf(other, anchor)) : -1
    if (beside >= 0) index = after ? beside + 1 : beside
    this.#plugins.splice(index, 0, plugin)
    for (const name of hookNames) this.#implementers[name] = this.#resolve(name)
    this.surrounds = this.has('aroundProcess')
    this.surroundsActors = this.has('aroundActor')
    this.seesAcks = this.has('beforeAck') || this.has('afterAck') || this.has('afterSettleMessage')
    this.senders = this.#plugins.map(asSender).filter((sender) => sender !== undefined)
    this.#rests.clear()
    this.#askedForResults = this.#plugins.filter((one) => one.wantsResult)
    this.#showsResults = this.#plugins.some((one) => !one.wantsResult && seesResults(one))
    return replaced
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
   * A chain of those with a say in sending that aren't among `known`, the `senders` of a chain in another thread: who is
   * left to be called for what is sent there.
   */
  sendersBut(known: readonly string[]): Chain {
    const key = known.join('\n')
    let rest = this.#rests.get(key)
    if (rest) return rest
    rest = new Chain()
    const left = [...known]
    for (const plugin of this.#plugins) {
      const sender = asSender(plugin)
      const at = sender === undefined ? -1 : left.indexOf(sender)
      if (at >= 0) left.splice(at, 1)
      else if (sender !== undefined) rest.add(plugin)
    }
    this.#rests.set(key, rest)
    return rest
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
        // Any thenable: a query builder, say, does nothing at all until somebody waits for it.
        if (typeof pending?.then === 'function') return this.#emitRest(name, [a, b, c], list, index, pending)
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
    pending: PromiseLike<unknown>,
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
    for (const plugin of this.#askedForResults) if (plugin.wantsResult?.(message, actor)) return 'json'
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
    return this.surrounds ? this.#layer('aroundProcess', 0, message, run, broker) : run()
  }

  /** Runs an actor's function within every plugin's `aroundActor`. */
  aroundActor(message: Message, run: () => Promise<unknown>, broker: Broker): Promise<unknown> {
    return this.#layer('aroundActor', 0, message, run, broker)
  }

  async #layer(
    hook: 'aroundProcess' | 'aroundActor',
    index: number,
    message: Message,
    run: () => Promise<unknown>,
    broker: Broker,
  ): Promise<unknown> {
    const list = this.#implementers[hook]
    const layer = list[index]
    if (!layer) return run()
    const { plugin, call } = layer
    let inner: Promise<unknown> | undefined
    const next = (): Promise<unknown> => {
      if (inner) throw new DramatisError(`next() was called more than once in ${hook} of ${nameOf(plugin)}.`)
      inner = index + 1 < list.length ? this.#layer(hook, index + 1, message, run, broker) : run()
      return inner
    }
    let own: unknown
    try {
      own = await call(message, next, broker)
    } catch (error) {
      if (!(await failedWith(inner, error))) this.#failed(plugin, hook, error)
    }
    if (plugin.essential && inner) return failed(inner).then((lost) => (lost ? inner : own))
    return inner ?? next()
  }

  #failed(plugin: Middleware, hook: HookName, thrown: unknown): void {
    const error = toError(thrown)
    if (isIntent(error) && hooksWithIntents.has(hook)) throw error
    getLogger().error({ err: loggable(error), plugin: nameOf(plugin), hook }, `${hook} of ${nameOf(plugin)} failed`)
    if (!plugin.essential || afterStoredHooks.has(hook)) return
    // What belongs to the actor's work (a transaction that doesn't commit) fails as the actor does, and is retried like it.
    if (hook === 'aroundActor') throw error
    throw error instanceof HookFailed ? error : new HookFailed(nameOf(plugin), hook, { cause: error })
  }
}

function isOf(plugin: object, kind: MiddlewareClass): boolean {
  return plugin instanceof kind || isSameClass(plugin.constructor, kind)
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
