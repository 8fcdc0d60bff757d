/**
 * A worker: 1. starts the runner (threads, or its own event loop); 2. runs a consumer loop per queue; 3. starts messages,
 * highest priority first, as slots become free; 4. shuts down gracefully: stops fetching, requeues what hasn't started,
 * waits for running messages, and requeues those that don't finish. It leaves the content of messages to the executor.
 */
import { availableParallelism } from 'node:os'
import type { Broker } from '../broker.js'
import type { Delivery } from '../consumer.js'
import { bindActors } from '../declarations.js'
import { isFromEnvironment, peekBroker } from '../default-broker.js'
import type { Duration } from '../duration.js'
import { BrokerClosed, DramatisError, Shutdown } from '../errors.js'
import { getLogger } from '../logger.js'
import { mainThread } from '../main-thread.js'
import type { Message } from '../message.js'
import { count, duration } from '../options.js'
import { shared } from '../registry.js'
import { Deadline, settlesWithin } from '../time.js'
import type { WorkerContract } from '../worker-contract.js'
import { ConsumerLoop } from './consumer-loop.js'
import { Dispatcher } from './dispatcher.js'
import type { Runner } from './execution.js'
import { InlineRunner } from './inline-runner.js'
import { interrupt } from './interrupt.js'
import { prefetchOf } from './prefetch.js'
import { RunningMessages } from './running-messages.js'
import { QueueSettlements } from './settling/queue-settlements.js'
import { UnsettledCount } from './settling/unsettled-count.js'
import { emitInTime, grace, stopGrace } from './shutdown.js'
import { StallWarning } from './stall-warning.js'
import { entryModules } from './startup/entry-modules.js'
import { readQueues } from './startup/queues.js'
import { checkStore } from './startup/store-check.js'
import { chainForThreads, mainThreadServices } from './threads/main-thread-services.js'
import { memoryLimits } from './threads/memory-limit.js'
import { ThreadPool } from './threads/thread-pool.js'
import { checkWorkerOptions, positive, readModules, readTimeout, type WorkerOptions } from './worker-options.js'

const boot = shared('first worker of the process', () => ({ done: false }))

export class Worker implements WorkerContract {
  readonly broker: Broker
  readonly threads: number
  readonly concurrency: number
  readonly #options: WorkerOptions
  /** How long running messages may take to finish when the worker stops, in milliseconds. */
  readonly shutdownTimeout: number
  readonly #runner: Runner
  readonly #dispatcher: Dispatcher
  readonly #running = new RunningMessages()
  readonly #loops: ConsumerLoop[] = []
  readonly #unsettled = new UnsettledCount()
  readonly #stallWarning: StallWarning
  /** Aborts when `stop()` is called. */
  readonly #stopping = new AbortController()
  /** Ends retried settlements, at the end of the shutdown. */
  readonly #abandon = new AbortController()
  #state: 'new' | 'starting' | 'running' | 'stopping' | 'stopped' = 'new'
  #stopped: Promise<void> | undefined
  /** Called when the worker can't go on: a lost thread can't be replaced, or the broker can't be used. */
  onFatal: (error: Error) => void = (error) => {
    getLogger().error({ err: error }, `The worker can't go on and stops: ${error.message}`)
    void this.stop()
  }

  constructor(broker: Broker, options: WorkerOptions = {}) {
    checkWorkerOptions(broker, options)
    const { threads = availableParallelism(), concurrency = 8, shutdownTimeout = '25s', prefetch, maxMemory } = options
    this.broker = broker
    this.threads = count(threads, 'threads')
    this.concurrency = positive(concurrency, 'concurrency')
    for (const [name, value] of Object.entries({ prefetch, maxMemory })) if (value !== undefined) positive(value, name)
    this.shutdownTimeout = duration(shutdownTimeout, 'shutdownTimeout')
    this.#options = options
    this.#runner =
      this.threads === 0
        ? new InlineRunner({ broker, concurrency: this.concurrency, running: this.#running })
        : this.#makePool()
    this.#dispatcher = new Dispatcher(broker, this.#runner, this.#running)
    this.#stallWarning = new StallWarning({
      broker,
      executions: () => this.#running.executions(),
      isFull: () => this.#dispatcher.isFull,
      waiting: () => this.#dispatcher.waiting,
      queues: () => this.queues,
    })
  }

  #makePool(): ThreadPool {
    // A worker thread never starts one.
    const modules = mainThread() ? [] : readModules(this.#options.modules)
    return new ThreadPool({
      threads: this.threads,
      concurrency: this.concurrency,
      modules,
      entries: entryModules(modules, this.#options.modules),
      ...memoryLimits(this.#options),
      ownBroker: isFromEnvironment(this.broker),
      chain: () => chainForThreads(this.broker),
      services: mainThreadServices(this.broker),
      onFree: () => this.#dispatcher.dispatch(),
      onThreadReady: (threadId) =>
        emitInTime('afterWorkerThreadBoot', () => this.broker.chain.emit('afterWorkerThreadBoot', threadId, this)),
      onThreadStop: (threadId) => this.#onThreadStop(threadId),
      onFatal: (error) => this.onFatal(error),
    })
  }

  #onThreadStop(threadId: number): Promise<void> {
    const hook = 'beforeWorkerThreadShutdown'
    return emitInTime(hook, () => this.broker.chain.emit(hook, threadId, this), grace.threadHook)
  }

  /** The messages whose actors are running. */
  get messages(): Iterable<Message> {
    return this.#running.executions().map(({ message }) => message)
  }

  /**
   * How many messages gather in batches, if no actor is running; otherwise 0.
   * @internal
   */
  get gathering(): number {
    return this.#dispatcher.gathering
  }

  /** The queues it consumes, once it has started. */
  get queues(): readonly string[] {
    return this.#loops.map((loop) => loop.consumer.queueName)
  }

  /**
   * Starts consuming. Resolves when all queues are being consumed, or, if `stop()` is called in the meantime, when the
   * worker has stopped. If it fails to start, it is stopped.
   *
   * A worker thread imports the same script; there the call starts nothing: it reports the thread as ready, and never
   * resolves. An unreachable broker doesn't keep the worker from starting: it consumes once the broker can be reached.
   *
   * @throws {ModuleLoadError} when a thread can't load its modules. {BrokerUnusable} when the broker can't work as it is
   * configured.
   */
  async start(): Promise<void> {
    const main = mainThread()
    if (main) {
      await main.serve()
      // The thread ends. The code after this call is for the main thread: a server that listens, a message that is sent.
      return new Promise(() => {})
    }
    if (this.#state !== 'new') throw new DramatisError('A worker can be started once; make another.')
    this.#state = 'starting'
    try {
      await this.#start()
    } catch (error) {
      // Errors caused by a stop during the start are not reported.
      if (this.#stopped) return this.#stopped
      await this.stop({ timeout: 0 })
      throw error
    }
  }

  async #start(): Promise<void> {
    const { broker, threads, concurrency } = this
    const { chain } = broker
    if ((peekBroker() ?? broker) === broker) bindActors(broker)
    const queues = readQueues(broker, this.#options)
    await checkStore(broker, this.#stopping.signal, (error) => this.onFatal(error))
    if (this.#stopped) return this.#stopped
    if (!boot.done) {
      boot.done = true
      await chain.emit('afterProcessBoot', broker)
    }
    await chain.emit('beforeWorkerBoot', this)
    if (!this.#stopped) await this.#runner.start()
    if (this.#stopped) return this.#stopped
    this.#state = 'running'
    this.#stallWarning.start()
    for (const queueName of queues) {
      await this.#consume(queueName)
      if (this.#stopped) return this.#stopped
    }
    await chain.emit('afterWorkerBoot', this)
    getLogger().info({ broker: broker.location, queues, threads, concurrency }, 'Worker started')
  }

  async #consume(queueName: string): Promise<void> {
    const { prefetch: given } = this.#options
    const slots = Math.max(1, this.threads) * this.concurrency
    const { prefetch, unacked } = prefetchOf(this.broker, queueName, slots, given)
    const consumer = this.broker.consume(queueName, { prefetch: unacked })
    const loop = new ConsumerLoop(consumer, {
      prefetch,
      slots,
      adaptive: given === undefined,
      isOver: () => this.broker.closed,
      accept: (delivery) => this.#accept(delivery, settlements),
    })
    const settlements = new QueueSettlements(consumer, {
      ran: () => this.#dispatcher.ran(),
      settled: () => {
        loop.release()
        this.#unsettled.settled()
      },
      exclude: (more) => loop.exclude(more),
      abandon: this.#abandon.signal,
    })
    this.#loops.push(loop)
    loop.start()
    await this.broker.chain.emit('afterConsumerThreadBoot', queueName, this)
  }

  #accept(delivery: Delivery, settlements: QueueSettlements): void {
    this.#unsettled.count++
    if (this.#state === 'running') {
      this.#dispatcher.accept(delivery, settlements)
    } else {
      void settlements.requeue(delivery)
    }
  }

  // — Stopping ———————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Shuts down gracefully: stops fetching, requeues what hasn't started, waits up to `shutdownTimeout` (or `timeout`) for
   * running messages, then aborts their signals and requeues what still runs. Resolves at most 4 s after that time. What
   * can't be settled by then is redelivered once the worker counts as lost.
   */
  stop(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    const timeout = readTimeout(options, 'stop()') ?? this.shutdownTimeout
    if (mainThread()) return Promise.resolve()
    this.#stopped ??= this.#stop(timeout)
    return this.#stopped
  }

  async #stop(timeout: number): Promise<void> {
    const { chain } = this.broker
    const started = this.#state === 'running'
    this.#state = 'stopping'
    this.#stopping.abort()
    this.#stallWarning.stop()
    const runningDeadline = new Deadline(timeout)
    const end = new Deadline(timeout + stopGrace)
    getLogger().info({ running: this.#dispatcher.active, waiting: this.#dispatcher.waiting }, 'Worker stops')
    for (const loop of this.#loops) loop.halt()
    this.#dispatcher.stop()
    if (started) {
      const timeout = Math.max(grace.least, runningDeadline.left)
      await emitInTime('beforeWorkerShutdown', () => chain.emit('beforeWorkerShutdown', this), timeout)
    }
    await Promise.all(this.#loops.map((loop) => this.#stopLoop(loop, runningDeadline)))
    this.#dispatcher.requeueWaiting()
    await this.#unsettled.waitForNone(runningDeadline.left)
    for (const message of this.messages) interrupt(message, new Shutdown())
    await this.#unsettled.waitForNone(Math.min(grace.actors, timeout))
    await settlesWithin(Math.max(grace.least, Math.min(grace.threads, end.left - grace.last)), this.#runner.stop())
    await this.#unsettled.waitForNone(grace.actors)
    this.#abandon.abort(new BrokerClosed())
    await this.#unsettled.waitForNone(grace.least)
    this.#state = 'stopped'
    this.#running.close()
    this.#unsettled.warnIfAny()
    const hookTimeout = Math.max(grace.least, end.left - grace.broker)
    if (started) await emitInTime('afterWorkerShutdown', () => chain.emit('afterWorkerShutdown', this), hookTimeout)
    getLogger().info({}, 'Worker stopped')
  }

  async #stopLoop(loop: ConsumerLoop, runningDeadline: Deadline): Promise<void> {
    const { queueName } = loop.consumer
    const hook = 'beforeConsumerThreadShutdown'
    const emit = (): Promise<void> | undefined => this.broker.chain.emit(hook, queueName, this)
    await emitInTime(hook, emit, Math.max(grace.least, runningDeadline.left))
    try {
      await settlesWithin(Math.max(grace.least, Math.min(grace.consumers, runningDeadline.left)), loop.stop())
    } catch (error) {
      getLogger().warn({ err: error, queueName }, 'A consumer did not close cleanly')
    }
  }

  /** Waits until every queue it consumes is empty and no message is unacked. */
  async join(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    readTimeout(options, 'join()')
    await Promise.all(this.queues.map((queueName) => this.broker.join(queueName, options)))
    await this.#unsettled.waitForNone()
  }
}
