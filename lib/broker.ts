/**
 * The base class of brokers. It implements what all brokers have in common (hooks, declarations, checks); storing,
 * taking and settling is up to `brokers/`. It never runs an actor: the worker does.
 */
import type { CancelAnswer, CancelOptions } from './cancellation/answer.js'
import { type CancelSource, cancel } from './cancellation/cancel.js'
import { type CancelledMany, cancelMany } from './cancellation/cancel-many.js'
import { Chain } from './chain.js'
import { checkMethods, expected, refuseUnknown } from './checks.js'
import { withoutMembership } from './composition/place.js'
import type { Consumer, DeadLetterPage, QueueSearch, QueueStats } from './consumer.js'
import { isReplaced, whereDeclared } from './declared-actors.js'
import type { Duration } from './duration.js'
import { type Body, checkSerializable, getEncoder, type WireMessage } from './encoder.js'
import {
  ActorExists,
  ActorNotFound,
  BrokerClosed,
  BrokerError,
  ConnectionFailed,
  type InvalidOption,
  MessageTooLarge,
  NotSerializable,
  QueueJoinTimeout,
  StateMissing,
} from './errors.js'
import { endFlushed, messagesWithEnds } from './flushing.js'
import { getLogger } from './logger.js'
import { type MainThread, mainThread, type RelayedEntry } from './main-thread.js'
import { assertMessage, Message } from './message.js'
import type { AnyActor, Middleware, MiddlewareClass } from './middleware.js'
import { actorReference, count, declareOptions, duration } from './options.js'
import type { Entry } from './outcome.js'
import { canonicalQueueName, checkActorName, checkQueueName } from './queue-names.js'
import { markInstances } from './registry.js'
import type { ResultBackend } from './results/backend.js'
import type { StateBackend } from './state/backend.js'
import type { Refusal, StateChange } from './state/changes.js'
import { type StorageStep, storeConditionally } from './state/conditional-store.js'
import { InOrder } from './state/in-order.js'
import { type ConditionalEntry, recordsOf } from './state/steps.js'
import type { Survivor } from './state/survivor.js'
import { readLogs, readStatus, readStatuses } from './status/reading.js'
import type { LogLine, Progress } from './status/report.js'
import type { MessageStatus } from './status/status.js'
import type { WatchOptions } from './status/watch-options.js'
import { watchProgress, watchStatus } from './status/watching.js'
import { messageOf } from './thrown.js'
import { type Clock, Deadline, parseDuration, settlesWithin, systemClock, pause as wait } from './time.js'
import { checkArguments } from './validation/check-entries.js'

/** For each message sent, the one that its send stands for; nothing if no message was sent on conditions. */
export type Survivors = readonly (Survivor | undefined)[] | undefined

/** Options that every broker has. */
export interface BrokerOptions {
  /** The plugins, instead of the default ones. */
  middleware?: readonly Middleware[] | undefined
  /**
   * How long a `send` may take to be stored before it rejects.
   * @default '5s'
   */
  enqueueTimeout?: Duration | undefined
  /**
   * The largest message, encoded, in bytes.
   * @default 1048576 (1 MiB)
   */
  maxMessageSize?: number | undefined
  /**
   * How long dead letters are kept.
   * @default '7d'
   */
  deadMessageTtl?: Duration | undefined
  /**
   * Where unique locks, groups, cancellations and status are kept. Give one to a broker that can't keep them itself, or
   * to keep them elsewhere; a crash may then double a message between the two.
   * @default the store of the messages, where it can keep state
   */
  state?: StateBackend | undefined
}

/** The names of these options, for brokers that check theirs with `refuseUnknown`. */
export const brokerOptionNames = ['middleware', 'enqueueTimeout', 'maxMessageSize', 'deadMessageTtl', 'state'] as const

export abstract class Broker {
  /** The clock of this broker, its middleware and its workers. */
  readonly clock: Clock = systemClock
  /** The plugins in order, and the calls of their hooks. */
  readonly chain = new Chain()
  readonly actors: ReadonlyMap<string, AnyActor>
  readonly queues: ReadonlySet<string>
  readonly enqueueTimeout: number
  readonly maxMessageSize: number
  readonly deadMessageTtl: number

  /**
   * Whether other threads can reach the same queues with their own broker; if not, their sends go through the main
   * thread.
   */
  protected readonly reachesThreads: boolean = true

  readonly #actors = new Map<string, AnyActor>()
  readonly #queues = new Set<string>()
  readonly #givenState: StateBackend | undefined
  #ownState: StateBackend | undefined
  readonly #inOrder = new InOrder()
  #closed = false

  constructor({
    middleware = [],
    enqueueTimeout = 5000,
    maxMessageSize = 1_048_576,
    deadMessageTtl = 604_800_000,
    state,
  }: BrokerOptions = {}) {
    this.actors = this.#actors
    this.queues = this.#queues
    this.enqueueTimeout = duration(enqueueTimeout, 'enqueueTimeout')
    this.maxMessageSize = count(maxMessageSize, 'maxMessageSize')
    this.deadMessageTtl = duration(deadMessageTtl, 'deadMessageTtl')
    if (state !== undefined) checkState(state)
    this.#givenState = state
    if (!Array.isArray(middleware)) throw expected('an array of plugins', middleware, 'middleware')
    for (const plugin of middleware) this.use(plugin)
  }

  /** Where its queues are, as in `DRAMATIS_URL`, without passwords; for logs. */
  get location(): string {
    return this.constructor.name
  }

  // — What the technology brings —————————————————————————————————————————————————————————————————————————

  /**
   * Stores messages, all or none; resolves once they are stored. Messages of one turn of the event loop may share a
   * round trip.
   */
  protected abstract store(entries: readonly Entry[]): Promise<void>
  protected abstract makeConsumer(queueName: string, options: { prefetch: number }): Consumer
  /** @param timeout How long a remote store may take to reply, in milliseconds. */
  protected abstract readStats(queueName: string, timeout?: number): Promise<QueueStats>
  protected abstract clear(queueName: string): Promise<void>
  protected abstract readDeadLetters(
    queueName: string,
    limit: number,
    cursor: string | undefined,
  ): Promise<DeadLetterPage>
  protected abstract takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean>
  /** The state in the store of the messages. A broker whose store can't keep state doesn't override it. */
  protected makeState(): StateBackend | undefined {
    return undefined
  }

  /**
   * Stores each message in one step with its changes of the state, if none is refused; returns what was. For brokers with
   * state of their own.
   */
  protected storeIf?(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]>

  /** See `QueueSearch`. A broker that can't search its queues has neither of the two. */
  protected scan?(...args: Parameters<QueueSearch['scan']>): ReturnType<QueueSearch['scan']>
  protected runNow?(...args: Parameters<QueueSearch['runNow']>): ReturnType<QueueSearch['runNow']>

  /** @param timeout How long it may take, in milliseconds; without it, as long as it needs. */
  protected abstract closeStore(timeout: number | undefined): Promise<void>
  /**
   * Checks whether the store can be used; see `check`. A broker without anything to check doesn't override it.
   * @param _timeout How long it may take, in milliseconds.
   */
  protected async checkStore(_timeout: number): Promise<void> {}

  // — The chain ——————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Adds a plugin to the chain: at its end, or `before` or `after` the plugin of that class. A second plugin of the
   * same class replaces the first.
   */
  use(plugin: Middleware, where?: { before?: MiddlewareClass | undefined; after?: MiddlewareClass | undefined }): this {
    const replaced = this.chain.add(plugin, where)?.results
    if (plugin.actorOptions) declareOptions(plugin.actorOptions)
    // Nothing else would close it, and its connection or file would stay open.
    if (replaced && !this.middleware.some(({ results }) => results === replaced)) this.#notify(replaced.close())
    return this
  }

  /** The plugins, in order. */
  get middleware(): readonly Middleware[] {
    return this.chain.plugins
  }

  /** The results backend, if a plugin has one. */
  get results(): ResultBackend | undefined {
    return this.middleware.find((plugin) => plugin.results)?.results
  }

  // — State ——————————————————————————————————————————————————————————————————————————————————————————————

  /** Where unique locks, groups, cancellations and status are kept, if this broker has a place for them. */
  get state(): StateBackend | undefined {
    if (this.#givenState) return this.#givenState
    this.#ownState ??= this.#closed ? undefined : this.makeState()
    return this.#ownState
  }

  /** Whether the state is in the store of the messages, so that both change in one step. */
  get hasOwnState(): boolean {
    return this.#givenState === undefined && this.state !== undefined
  }

  /**
   * The state, for a feature that needs it.
   * @throws {StateMissing}
   */
  stateFor(feature: string): StateBackend {
    const { state } = this
    if (!state) throw new StateMissing(feature, this.constructor.name)
    return state
  }

  /**
   * The status of a message by its id, from any process. Only of messages with `trackStatus`: of others it is
   * `{ state: 'unknown' }`. What is asked within one turn of the event loop is one read.
   * @throws {StateMissing}
   */
  async status(messageId: string): Promise<MessageStatus> {
    return readStatus(this.stateFor(statusFeature), messageId)
  }

  /** The status of many messages, in one read. */
  async statuses(messageIds: readonly string[]): Promise<MessageStatus[]> {
    return readStatuses(this.stateFor(statusFeature), messageIds)
  }

  /** The log of a message, oldest line first: what its actor wrote with `current().log()`, over all attempts. */
  async logs(messageId: string): Promise<readonly LogLine[]> {
    return readLogs(this.stateFor(statusFeature), messageId)
  }

  /**
   * The progress of a message: the last one, if there is one, and then each newer one, ten a second at most. Ends with
   * the message, and returns its status. Ends at once if the message is unknown, unless there is a `timeout`. Nothing is
   * polled, and all iterations of a process share a connection.
   * @throws The `reason` of the signal, once that aborts.
   */
  progress(messageId: string, options?: WatchOptions): AsyncGenerator<Progress, MessageStatus, undefined> {
    return watchProgress(this.stateFor(statusFeature), messageId, options)
  }

  /** The same with each status, the last one included. */
  watchStatus(messageId: string, options?: WatchOptions): AsyncGenerator<MessageStatus, MessageStatus, undefined> {
    return watchStatus(this.stateFor(statusFeature), messageId, options)
  }

  // — Declaring ——————————————————————————————————————————————————————————————————————————————————————————

  /** Declares a queue. Declaring it again does nothing. */
  declareQueue(queueName: string): void {
    if (this.#queues.has(queueName)) return
    checkQueueName(queueName)
    if (this.#queues.size === 0) getLogger().debug({ broker: this.location }, 'Broker in use')
    this.#notify(this.chain.emit('beforeDeclareQueue', queueName, this))
    this.#queues.add(queueName)
    this.#notify(this.chain.emit('afterDeclareQueue', queueName, this))
    this.#notify(this.chain.emit('afterDeclareDelayQueue', queueName, this))
  }

  /**
   * Declares an actor and its queue.
   * @throws {ActorExists} if another actor has the same name.
   */
  declareActor(actor: AnyActor): void {
    if (typeof actor !== 'function' || !('actorName' in actor)) {
      throw expected('an actor, as actor() makes it', actor, 'actor')
    }
    const namesake = this.#actors.get(actor.actorName)
    if (namesake === actor) return
    if (namesake && !isReplaced(namesake))
      throw new ActorExists(actor.actorName, [whereDeclared(namesake), whereDeclared(actor)])
    this.#notify(this.chain.emit('beforeDeclareActor', actor, this))
    this.declareQueue(actor.queueName)
    this.#actors.set(actor.actorName, actor)
    this.#notify(this.chain.emit('afterDeclareActor', actor, this))
  }

  /** @throws {ActorNotFound} */
  getActor(actorName: string): AnyActor {
    checkActorName(actorName)
    const actor = this.#actors.get(actorName)
    if (!actor) throw new ActorNotFound(actorName, this.#actors.keys())
    return actor
  }

  /** Declaring is sync: the failure of an async hook is only logged, by the chain. */
  #notify(pending: Promise<void> | undefined): void {
    pending?.catch(() => {})
  }

  // — Sending ————————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Stores a message. Resolves once it is stored.
   *
   * @param options.delay How long until it may run. @default immediately
   * @throws {MessageTooLarge} {EnqueueTimeout} {ConnectionFailed}
   */
  async enqueue(message: Message, options: { delay?: Duration | undefined } = {}): Promise<Message> {
    refuseUnknown(options, ['delay'], 'enqueue()')
    checkContents(message)
    const { delay } = options
    const entry = { message, delay: delay === undefined ? undefined : parseDuration(delay, 'delay') }
    const survivors = await this.enqueueEntries([entry])
    return survivors ? message.standingFor(survivors[0]) : message
  }

  /** Stores many messages in one operation: all of them or, if it rejects, none. */
  async enqueueMany(
    messages: readonly Message[],
    options: { delay?: Duration | undefined } = {},
  ): Promise<readonly Message[]> {
    refuseUnknown(options, ['delay'], 'enqueueMany()')
    if (!Array.isArray(messages)) throw expected('an array of messages', messages, 'messages')
    for (const message of messages) checkContents(message)
    const { delay } = options
    const milliseconds = delay === undefined ? undefined : parseDuration(delay, 'delay')
    if (messages.length === 0) return messages
    const survivors = await this.enqueueEntries(messages.map((message) => ({ message, delay: milliseconds })))
    return survivors ? messages.map((message, index) => message.standingFor(survivors[index])) : messages
  }

  /**
   * Stores messages that may have delays, once the schemas of their actors have accepted their arguments.
   * @returns For each, the message that its send stands for, if some were sent on conditions.
   */
  enqueueEntries(entries: readonly Entry[]): Promise<Survivors> {
    try {
      const checked = checkArguments(entries)
      return checked ? checked.then(() => this.#enqueueChecked(entries)) : this.#enqueueChecked(entries)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #enqueueChecked(entries: readonly Entry[]): Promise<Survivors> {
    const before = this.beforeEnqueue(entries)
    if (!before && !this.chain.has('afterEnqueue')) return this.#put(entries)
    return this.#enqueueWithHooks(entries, before)
  }

  async #enqueueWithHooks(entries: readonly Entry[], before: Promise<void> | undefined): Promise<Survivors> {
    await before
    const survivors = await this.#put(entries)
    await this.afterEnqueue(survivors ? entries.filter((_, index) => !survivors[index]) : entries)
    return survivors
  }

  /**
   * In a worker thread, sends through the main thread if the queues can't be reached from here, or if only it has some
   * plugins.
   */
  #put(entries: readonly Entry[]): Promise<Survivors> {
    const main = mainThread()
    if (!main || !this.#isRelayed(main)) return this.storeWithParts(entries)
    return main.call('enqueue', '', [this.chain.senders, entries.map(toRelayed)]) as Promise<Survivors>
  }

  #isRelayed(main: MainThread): boolean {
    return !this.reachesThreads || main.relays(this)
  }

  /**
   * Stores messages, those to which plugins add something in a step of their own.
   * @internal
   */
  storeWithParts(entries: readonly Entry[]): Promise<Survivors> {
    let steps: StorageStep[] | undefined
    for (const [index, entry] of entries.entries()) {
      const parts = this.chain.storageParts(entry.message, entry.delay, this)
      if (parts.length > 0 && !steps) steps = entries.slice(0, index).map((before) => ({ entry: before, parts: [] }))
      steps?.push({ entry, parts })
    }
    if (!steps) return this.store(entries) as Promise<undefined>
    return storeConditionally(steps, {
      storeIf: this.hasOwnState ? this.storeIf?.bind(this) : undefined,
      store: (ordinary) => this.store(ordinary),
      state: this.stateFor('A message on conditions'),
      timeout: this.enqueueTimeout,
      inOrder: this.#inOrder,
    })
  }

  /**
   * Changes the state and stores messages in one step, where both are in one store; elsewhere the state first.
   * Returns what was refused, if nothing was done.
   * @internal
   */
  async enqueueWith(entries: readonly Entry[], changes: readonly StateChange[]): Promise<Refusal | undefined> {
    const [first, ...others] = entries
    const state = this.stateFor('A group')
    if (!first) return state.apply(changes)
    await this.beforeEnqueue(entries)
    const main = mainThread()
    const refusal =
      main && this.#isRelayed(main)
        ? ((await main.call('enqueueWith', '', [this.chain.senders, entries.map(toRelayed), changes])) as
            | Refusal
            | undefined)
        : await this.#storeWith([first, ...others], changes, state)
    if (!refusal) await this.afterEnqueue(entries)
    return refusal
  }

  /** Does for a worker thread what `enqueueWith` does. */
  async enqueueWithFromThread(
    entries: readonly Entry[],
    changes: readonly StateChange[],
    chain: Chain,
  ): Promise<Refusal | undefined> {
    await this.beforeEnqueue(entries, chain)
    const refusal = await this.#storeWith(entries as [Entry, ...Entry[]], changes, this.stateFor('A group'))
    if (!refusal) await this.afterEnqueue(entries, chain)
    return refusal
  }

  async #storeWith(
    entries: readonly [Entry, ...Entry[]],
    changes: readonly StateChange[],
    state: StateBackend,
  ): Promise<Refusal | undefined> {
    const [entry, ...others] = entries
    if (this.hasOwnState && this.storeIf) {
      const all = [...changes, ...entries.flatMap((one) => this.recordsOf(one))]
      const [refusal] = await this.storeIf([{ entry, others, changes: all, replaces: undefined }])
      return refusal
    }
    const refusal = await state.apply([...changes, ...entries.flatMap((one) => this.recordsOf(one))])
    if (!refusal) await this.store(entries)
    return refusal
  }

  /**
   * What plugins record of a message that is stored.
   * @internal
   */
  recordsOf(entry: Entry): readonly StateChange[] {
    return recordsOf(this.chain.storageParts(entry.message, entry.delay, this), entry)
  }

  /**
   * Stores what a worker thread sent.
   * @param chain The plugins that the thread doesn't have.
   */
  async enqueueFromThread(entries: readonly Entry[], chain: Chain): Promise<Survivors> {
    await this.beforeEnqueue(entries, chain)
    const survivors = await this.storeWithParts(entries)
    await this.afterEnqueue(survivors ? entries.filter((_, index) => !survivors[index]) : entries, chain)
    return survivors
  }

  /** Checks and hooks that precede storing messages, alone or in one step with an acknowledgement. */
  beforeEnqueue(entries: readonly Entry[], chain = this.chain): Promise<void> | undefined {
    if (this.#closed) throw new BrokerClosed()
    for (const { message } of entries) {
      assertMessage(message)
      this.declareQueue(canonicalQueueName(message.queueName))
    }
    if (!chain.has('beforeEnqueue') && !chain.has('beforeDelayMessage')) return undefined
    return this.#emitEach(entries, true, chain)
  }

  /** Hooks that follow storing messages. They can't fail a send that is done: what they throw is logged. */
  afterEnqueue(entries: readonly Entry[], chain = this.chain): Promise<void> | undefined {
    return chain.has('afterEnqueue') ? this.#emitEach(entries, false, chain) : undefined
  }

  async #emitEach(entries: readonly Entry[], before: boolean, chain: Chain): Promise<void> {
    for (const { message, delay } of entries) {
      await chain.emit(before ? 'beforeEnqueue' : 'afterEnqueue', message, delay, this)
      if (before && delay !== undefined) await chain.emit('beforeDelayMessage', message, delay, this)
    }
  }

  /**
   * The body of a message. Its size is checked unless the message was stored before.
   * @param wire Its form on the wire, if the broker changed it.
   * @throws {MessageTooLarge}
   */
  protected encode({ message, stored }: Entry, wire: WireMessage = message.toWire()): Body {
    const body = encode(wire)
    // A character takes three bytes at most, so most texts needn't be measured.
    if (!stored && body.length * 3 > this.maxMessageSize) {
      const size = typeof body === 'string' ? Buffer.byteLength(body) : body.length
      if (size > this.maxMessageSize) throw new MessageTooLarge(message.actorName, size, this.maxMessageSize)
    }
    return body
  }

  /**
   * Why a message can never be stored, or `undefined`; for messages sent along with a settlement, which they must not
   * prevent.
   * @internal
   */
  refusal(entry: Entry): unknown {
    try {
      assertMessage(entry.message)
      checkQueueName(canonicalQueueName(entry.message.queueName))
      this.encode(entry)
      return undefined
    } catch (error) {
      return error
    }
  }

  // — Consuming and looking ——————————————————————————————————————————————————————————————————————————————

  /**
   * Starts to consume a queue.
   * @param options.prefetch How many messages the consumer will hold at most; a hint for brokers that push.
   */
  consume(queueName: string, options: { prefetch?: number | undefined } = {}): Consumer {
    this.assertOpen()
    refuseUnknown(options, ['prefetch'], 'consume()')
    const { prefetch = 1 } = options
    if (count(prefetch, 'prefetch') === 0) throw expected('a whole number from 1 up', prefetch, 'prefetch')
    this.declareQueue(queueName)
    return this.makeConsumer(queueName, { prefetch })
  }

  /**
   * Checks whether the store, and that of the results, can be used: connects, reads, and writes like a send, but leaves
   * nothing behind. A worker does this before it starts; a service that only sends may use it for its health check.
   *
   * @param options.timeout How long it may take. @default '5s'
   * @throws {BrokerUnusable} for a permanent problem; {ConnectionFailed} or another {BrokerError} for one that may be
   * temporary.
   */
  async check(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    refuseUnknown(options, ['timeout'], 'check()')
    const { timeout = 5000 } = options
    this.assertOpen()
    const timeoutMs = parseDuration(timeout, 'timeout')
    const deadline = new Deadline(timeoutMs)
    await this.checkStore(timeoutMs)
    await this.results?.check(Math.max(1, Math.ceil(deadline.left)))
  }

  /** How many messages the queue holds, by state. */
  async stats(queueName: string): Promise<QueueStats> {
    this.assertOpen()
    return this.readStats(readQueueName(queueName))
  }

  /**
   * Removes every message of a queue: ready, delayed, unacked and dead. Unique keys that they hold are freed, and their
   * groups count them as failed.
   */
  async flush(queueName: string): Promise<void> {
    this.assertOpen()
    const name = readQueueName(queueName)
    const { queueSearch, state } = this
    const ends = queueSearch && state ? await messagesWithEnds(this, queueSearch, name) : []
    await this.clear(name)
    // After that: what follows a group may be on the same queue.
    await endFlushed(this, ends)
  }

  /** Flushes every declared queue. */
  async flushAll(): Promise<void> {
    for (const queueName of this.#queues) await this.flush(queueName)
  }

  /**
   * Waits until a queue is empty: nothing ready, delayed (which includes retries) or unacked.
   *
   * @param options.timeout How long it waits, also while the broker can't be reached. @default no limit
   * @throws {QueueJoinTimeout} {ConnectionFailed} if the broker can't be reached and there is no timeout.
   */
  async join(queueName: string, options: { timeout?: Duration | undefined } = {}): Promise<void> {
    refuseUnknown(options, ['timeout'], 'join()')
    const name = readQueueName(queueName)
    const { timeout } = options
    const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
    const deadline = performance.now() + timeoutMs
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      this.assertOpen()
      let cause: ConnectionFailed | undefined
      try {
        const left = timeout === undefined ? undefined : Math.max(0, deadline - performance.now())
        if (await this.isEmpty(name, left)) return
      } catch (error) {
        if (!(error instanceof ConnectionFailed) || timeout === undefined) throw error
        cause = error
      }
      if (performance.now() >= deadline) throw new QueueJoinTimeout(queueName, timeoutMs, { cause })
      await this.changed(Math.min(pause, Math.max(1, deadline - performance.now())))
    }
  }

  /** Whether nothing is ready, delayed or unacked. Brokers that know without counting override it. */
  protected async isEmpty(queueName: string, timeout?: number): Promise<boolean> {
    const { ready, delayed, inFlight } = await this.readStats(queueName, timeout)
    return ready + delayed + inFlight === 0
  }

  /**
   * Waits until something may have changed, `pause` milliseconds at most. Brokers that are notified of changes override
   * it.
   */
  protected changed(pause: number): Promise<void> {
    return wait(pause)
  }

  // — Cancelling —————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Cancels a message, from any process: one that waits doesn't run any more, a running one is interrupted with a
   * `CancelledError`. The message is searched in the declared queues. The id of a pipeline or a group cancels all its
   * messages.
   *
   * @param message The message or its id.
   * @param options.queueName A queue where it may be, if this process hasn't declared that.
   * @throws {StateMissing}
   */
  async cancel(
    message: Message | string,
    options: CancelOptions & { queueName?: string | undefined } = {},
  ): Promise<CancelAnswer> {
    this.assertOpen()
    refuseUnknown(options, ['reason', 'cascade', 'queueName'], 'cancel()')
    const target = readTarget(message)
    const { queueName, ...how } = options
    const main = this.#mainThread
    if (main) return main.call('cancel', '', [target instanceof Message ? target.encode() : [target], options]) as never
    const queueNames = new Set(this.#queues)
    if (queueName !== undefined) queueNames.add(readQueueName(queueName))
    if (target instanceof Message) {
      const own = readQueueName(target.queueName)
      if (!how.cascade) queueNames.clear()
      queueNames.add(own)
    }
    return cancel(target, how, { ...this.#cancelSource(), queueNames })
  }

  /**
   * Cancels the messages of an actor, or in a queue, or of an actor in a queue. Those that are sent while it runs may be
   * left out.
   *
   * @param which.actor An actor or its name; in all declared queues if there is no `queue`.
   * @param options.dryRun Whether it only tells which messages it would cancel. @default false
   * @param options.reason Why, in words.
   * @throws {StateMissing}
   */
  async cancelMany(
    which: { actor?: { readonly actorName: string } | string | undefined; queue?: string | undefined },
    options: { dryRun?: boolean | undefined; reason?: string | undefined } = {},
  ): Promise<CancelledMany> {
    this.assertOpen()
    const { actor, queue } = which
    refuseUnknown(which, ['actor', 'queue'], 'cancelMany()')
    refuseUnknown(options, ['dryRun', 'reason'], 'cancelMany()')
    if (actor === undefined && queue === undefined) throw expected('an actor or a queue', which, 'which')
    const { dryRun = false, reason } = options
    const actorName = actor === undefined ? undefined : actorReference(actor, 'actor')
    const main = this.#mainThread
    if (main) return main.call('cancelMany', '', [{ actor: actorName, queue }, options]) as Promise<CancelledMany>
    const { queues, ...source } = this.#cancelSource()
    if (!queues)
      throw new BrokerError(`${this.constructor.name} can't search its queues: cancel messages by their ids.`)
    const queueNames = queue === undefined ? new Set(this.#queues) : [readQueueName(queue)]
    return cancelMany({ actorName, queueNames, dryRun, reason }, { ...source, queues })
  }

  /** The main thread, for a thread that can't reach the queues. */
  get #mainThread(): MainThread | undefined {
    return this.reachesThreads ? undefined : mainThread()
  }

  #cancelSource(): Omit<CancelSource, 'queueNames'> {
    const { results } = this
    return {
      state: this.stateFor('Cancelling a message'),
      fetchesLook: this.hasOwnState,
      queues: this.queueSearch,
      hasResult: async (message) => (await results?.has(message)) ?? false,
    }
  }

  /**
   * Searches the queues, if this broker can.
   * @internal
   */
  get queueSearch(): QueueSearch | undefined {
    if (!this.scan || !this.runNow) return undefined
    return { scan: this.scan.bind(this), runNow: this.runNow.bind(this) }
  }

  // — Dead letters ———————————————————————————————————————————————————————————————————————————————————————

  /**
   * Dead letters, oldest first.
   * @param options.limit The most to return. @default 100
   * @param options.cursor Where to continue: the `cursor` of the previous page.
   * @throws {InvalidOption}
   */
  async deadLetters(
    queueName: string,
    options: { limit?: number | undefined; cursor?: string | undefined } = {},
  ): Promise<DeadLetterPage> {
    this.assertOpen()
    refuseUnknown(options, ['limit', 'cursor'], 'deadLetters()')
    const { limit = 100, cursor } = options
    if (cursor !== undefined && typeof cursor !== 'string') throw badCursor(cursor)
    return this.readDeadLetters(readQueueName(queueName), count(limit, 'limit'), cursor)
  }

  /** Requeues a dead letter as a message with no delivery or failed attempt. Returns whether it was still there. */
  async requeueDeadLetter(id: string): Promise<boolean> {
    this.assertOpen()
    return this.takeDeadLetter(readLetterId(id), 'requeue')
  }

  /** Deletes a dead letter. Returns whether it was still there. */
  async deleteDeadLetter(id: string): Promise<boolean> {
    this.assertOpen()
    return this.takeDeadLetter(readLetterId(id), 'delete')
  }

  /**
   * Removes the stored failure of a dead letter before it is requeued, so that `result()` waits for the new result, and
   * records that it waits again.
   */
  protected async forgetResult(body: Body): Promise<void> {
    let message: Message
    try {
      message = Message.decode(body)
    } catch {
      // Not a message: there is no result.
      return
    }
    await this.results?.forget(message)
    const records = this.recordsOf({ message: Message.decode(this.revive(body)) })
    if (records.length > 0) await this.stateFor(statusFeature).apply(records)
  }

  /** The body of a dead letter that is requeued: its failed attempts are reset, and its group has counted its end. */
  protected revive(body: Body): Body {
    try {
      const message = Message.decode(body)
      const { retries: _, ...options } = message.options
      return message.with({ options: withoutMembership(options) }).encode()
    } catch {
      return body
    }
  }

  // — The end ————————————————————————————————————————————————————————————————————————————————————————————

  /** @throws {BrokerClosed} */
  protected assertOpen(): void {
    if (this.#closed) throw new BrokerClosed()
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Finishes pending sends, and closes connections and files. The broker can't be used afterwards.
   *
   * @param options.timeout How long that may take. Sends that aren't stored by then reject.
   * @default as long as the pending sends may take
   */
  async close(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    refuseUnknown(options, ['timeout'], 'close()')
    const { timeout } = options
    if (this.#closed) return
    const deadline = timeout === undefined ? undefined : new Deadline(parseDuration(timeout, 'timeout'))
    this.#closed = true
    const inTime = async (close: (left: number | undefined) => Promise<void> | undefined): Promise<void> => {
      const left = deadline?.left
      await (left === undefined ? close(left) : settlesWithin(left, Promise.resolve(close(left))))
    }
    for (const { results } of this.middleware) if (results) await inTime((left) => results.close(left))
    const state = this.#givenState ?? this.#ownState
    if (state) await inTime((left) => state.close(left))
    await inTime((left) => this.closeStore(left))
  }
}

const statusFeature = 'The status of a message'

markInstances(Broker, 'broker')

/** A message on its way from a thread to the main thread. */
function toRelayed({ message, delay, handle }: Entry): RelayedEntry {
  return [message.encode(), delay, handle]
}

/** The name of the queue itself, for any of its three names. */
function readQueueName(name: unknown): string {
  checkQueueName(name)
  return canonicalQueueName(name)
}

/** Checks what is to be cancelled. */
function readTarget(target: unknown): Message | string {
  if (target instanceof Message) return target
  if (typeof target === 'string' && target !== '' && !target.includes('\0')) return target
  throw expected('a message or the id of one', target, 'message')
}

/** Checks a message that was created by hand. */
function checkContents(message: Message): void {
  assertMessage(message)
  checkSerializable(message.args, 'args')
  checkSerializable(message.kwargs, 'kwargs')
  checkSerializable(message.options, 'options')
}

function checkState(state: unknown): void {
  const methods = ['read', 'readSet', 'size', 'apply', 'list', 'watch', 'close']
  checkMethods(state, methods, 'state', 'a state backend, such as new RedisState({ url })')
}

function readLetterId(id: unknown): string {
  if (typeof id !== 'string') throw expected('the id of a dead letter, as deadLetters() gives it', id, 'id')
  return id
}

/** For brokers: the error for an invalid cursor. Starting over instead would make paging endless. */
export function badCursor(cursor: unknown): InvalidOption {
  return expected('the cursor of the page before, as this broker gave it', cursor, 'cursor')
}

/** An encoder's error is caused by the message: retrying would be pointless. */
function encode(wire: WireMessage): Body {
  try {
    return getEncoder().encode(wire)
  } catch (error) {
    throw new NotSerializable(
      `The message for actor "${wire.actor_name}" can't be encoded: ${messageOf(error)}`,
      'message',
      {
        cause: error,
      },
    )
  }
}
