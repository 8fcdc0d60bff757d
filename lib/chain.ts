/**
 * The chain of plugins: which plugin has which hook, in which order hooks are called, and what their failures affect.
 * middleware.ts describes each hook.
 */
import type { Broker } from './broker.js'
import { DramatisError, HookFailed } from './errors.js'
import { loggable, toError } from './failure.js'
import { afterStoredHooks, hooksWithIntents, isIntent } from './hook-failures.js'
import { type HookName, hookNames } from './hook-names.js'
import { getLogger } from './logger.js'
import type { Message } from './message.js'
import type { AnyActor, Hooks, Middleware, MiddlewareClass, WantedResult } from './middleware.js'
import { namesOf } from './options.js'
import { checkAnchors, checkPlugin } from './plugin-checks.js'
import { asSender, nameOf, seesResults } from './plugins.js'
import { isSameClass } from './registry.js'
import type { StoragePart } from './state/steps.js'

interface Implementer {
  readonly plugin: Middleware
  // biome-ignore lint/suspicious/noExplicitAny: the hook's own signature, checked where it is emitted
  readonly call: (...args: any[]) => any
}

export class Chain {
  readonly #plugins: Middleware[] = []
  /**
   * The plugins with each hook, in calling order. Computed when a plugin is added, so that an unused hook costs one
   * lookup.
   */
  readonly #implementers = Object.fromEntries(hookNames.map((name) => [name, []])) as unknown as Record<
    HookName,
    readonly Implementer[]
  >

  /** Plugins that state when they need a result. */
  #askedForResults: readonly Middleware[] = []
  /** Whether some plugin may read results without stating when. */
  #showsResults = false
  /**
   * Whether some plugin surrounds the processing of messages, or actors on their thread; and whether some plugin has
   * hooks of acknowledgements. Read for every message.
   */
  surrounds = false
  surroundsActors = false
  seesAcks = false
  /** The plugins with hooks of sending, each by its name and hooks: this identifies plugins across threads. */
  senders: readonly string[] = []
  /** Cached results of `withoutSenders`. */
  readonly #chainsWithout = new Map<string, Chain>()
  /** The options that plugins are limited to (`onlyWithOptions`), by both of their names. */
  #optionsOfPlugins: ReadonlySet<string> = new Set()
  /** The chain of messages that have none of these options. */
  #ordinary: Chain | undefined

  get plugins(): readonly Middleware[] {
    return this.#plugins
  }

  /**
   * Adds a plugin: at the end, or `before` or `after` the one of that class. A second one of the same class replaces
   * the first, so that `use(new Retries({ maxRetries: 3 }))` changes the default.
   * @returns The plugin that was replaced.
   */
  add(
    plugin: Middleware,
    where: { before?: MiddlewareClass | undefined; after?: MiddlewareClass | undefined } = {},
  ): Middleware | undefined {
    checkAnchors(where)
    const { before, after } = where
    checkPlugin(plugin, hookNames)
    const kind = plugin.constructor
    const replacedIndex =
      kind === Object ? -1 : this.#plugins.findIndex((other) => isSameClass(other.constructor, kind))
    const anchor = before ?? after
    if (anchor && !this.#plugins.some((other) => isOf(other, anchor))) {
      throw new DramatisError(`There is no ${anchor.name} in the chain to put ${nameOf(plugin)} beside.`)
    }
    const [replaced] = replacedIndex >= 0 ? this.#plugins.splice(replacedIndex, 1) : []
    let index = replacedIndex >= 0 ? replacedIndex : this.#plugins.length
    // Placed beside the plugin that it replaces: it takes that position.
    const beside = anchor ? this.#plugins.findIndex((other) => isOf(other, anchor)) : -1
    if (beside >= 0) index = after ? beside + 1 : beside
    this.#plugins.splice(index, 0, plugin)
    for (const name of hookNames) this.#implementers[name] = this.#resolve(name)
    this.surrounds = this.has('aroundProcess')
    this.surroundsActors = this.has('aroundActor')
    this.seesAcks = this.has('beforeAck') || this.has('afterAck') || this.has('afterSettleMessage')
    this.senders = this.#plugins.map(asSender).filter((sender) => sender !== undefined)
    this.#chainsWithout.clear()
    this.#optionsOfPlugins = new Set(this.#plugins.flatMap((one) => one.onlyWithOptions ?? []).flatMap(namesOf))
    this.#ordinary = undefined
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

  /** Whether any plugin has a hook. */
  has(name: HookName): boolean {
    return this.#implementers[name].length > 0
  }

  /**
   * The chain of the plugins that may have something to do for a message, by its options and those of its actor.
   */
  forMessage({ options }: Message, actor: AnyActor | undefined): Chain {
    if (this.#optionsOfPlugins.size === 0) return this
    for (const name in options) if (this.#optionsOfPlugins.has(name)) return this
    for (const name in actor?.options) if (this.#optionsOfPlugins.has(name)) return this
    this.#ordinary ??= chainOf(this.#plugins.filter((plugin) => !plugin.onlyWithOptions))
    return this.#ordinary
  }

  /**
   * The chain of plugins with hooks of sending that aren't among `known`, the `senders` of a chain in another thread:
   * those that must still be called for what that thread sends.
   */
  withoutSenders(known: readonly string[]): Chain {
    const key = known.join('\n')
    let rest = this.#chainsWithout.get(key)
    if (rest) return rest
    rest = new Chain()
    const left = [...known]
    for (const plugin of this.#plugins) {
      const sender = asSender(plugin)
      const at = sender === undefined ? -1 : left.indexOf(sender)
      if (at >= 0) left.splice(at, 1)
      else if (sender !== undefined) rest.add(plugin)
    }
    this.#chainsWithout.set(key, rest)
    return rest
  }

  /**
   * Calls a hook of every plugin that has it. Returns `undefined` if all were sync (or there are none), so that the
   * caller needn't wait; otherwise a promise.
   * @throws {HookFailed} if an essential plugin failed. `SkipMessage` and `Retry` pass unchanged, before the actor ran.
   */
  emit<N extends HookName>(name: N, ...args: Parameters<Hooks[N]>): Promise<void> | undefined
  // Separate parameters: an array for each call costs more than most hooks.
  emit(name: HookName, a: unknown, b?: unknown, c?: unknown, d?: unknown): Promise<void> | undefined {
    const list = this.#implementers[name]
    for (let index = 0; index < list.length; index++) {
      const { plugin, call } = list[index] as Implementer
      try {
        const pending = call(a, b, c, d)
        // Any thenable: a query builder, for example, does nothing until it is awaited.
        if (typeof pending?.then === 'function') return this.#emitRest(name, [a, b, c, d], list, index, pending)
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

  /** The maximum number of deliveries of a message, from the strictest plugin; unlimited if no plugin sets one. */
  maxDeliveries(message: Message, actor: AnyActor): number {
    return Math.min(
      ...this.#plugins.map((plugin) => plugin.maxDeliveries?.(message, actor) ?? Number.POSITIVE_INFINITY),
    )
  }

  /** Whether a plugin adds something to the step that settles this message. */
  joinsSettlement(message: Message, actor: AnyActor | undefined): boolean {
    for (const { plugin } of this.forMessage(message, actor).#implementers.beforeStoreSettlement) {
      if (!plugin.joinsSettlement || plugin.joinsSettlement(message, actor)) return true
    }
    return false
  }

  /** What plugins add to the step that stores a message. */
  storageParts(message: Message, delay: number | undefined, broker: Broker): readonly StoragePart[] {
    const parts: StoragePart[] = []
    for (const { plugin, call } of this.forMessage(message, undefined).#implementers.beforeStoreMessage) {
      try {
        const part = call(message, delay, broker) as StoragePart | undefined
        if (part) parts.push(part)
      } catch (error) {
        this.#failed(plugin, 'beforeStoreMessage', error)
      }
    }
    return parts
  }

  /** Calls the hook that updates the options of a new message. */
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
    // Part of the actor's work (a transaction that doesn't commit): it fails like the actor, and is retried.
    if (hook === 'aroundActor') throw error
    throw error instanceof HookFailed ? error : new HookFailed(nameOf(plugin), hook, { cause: error })
  }
}

function chainOf(plugins: readonly Middleware[]): Chain {
  const chain = new Chain()
  for (const plugin of plugins) chain.add(plugin)
  return chain
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
