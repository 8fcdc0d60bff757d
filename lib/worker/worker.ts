/**
 * A worker. Its duties: 1. start what runs actors (threads, or the event loop it is on); 2. keep a loop a queue that
 * takes messages; 3. start them, highest priority first, as there is room; 4. stop in good order: take no more, give
 * back what isn't started, let the rest end, and give back what doesn't.
 *
 * It never looks into a message: that is the executor's.
 */
import { availableParallelism } from 'node:os'
import type { Broker } from '../broker.js'
import type { Delivery } from '../consumer.js'
import { bindActors } from '../declarations.js'
import { isFromEnvironment, peekBroker } from '../default-broker.js'
import { BrokerClosed, DramatisError, Shutdown } from '../errors.js'
import { getLogger } from '../logger.js'
import { mainThread } from '../main-thread.js'
import type { Message } from '../message.js'
import { count, duration } from '../options.js'
import { shared } from '../registry.js'
import { atMost, Deadline, type Duration } from '../time.js'
import { ConsumerLoop } from './consumer-loop.js'
import { interrupt, type Runner } from './execution.js'
import { Executor } from './executor.js'
import { InlineRunner } from './inline-runner.js'
import { LocalQueue } from './local-queue.js'
import { RunningMessages } from './running-messages.js'
import { QueueSettlements } from './settling/queue-settlements.js'
import { UnsettledCount } from './settling/unsettled-count.js'
import { emitInTime, grace, graces } from './shutdown.js'
import { StallWarning } from './stall-warning.js'
import { entryModules } from './startup/entry-modules.js'
import { readQueues } from './startup/queues.js'
import { checkStore } from './startup/store-check.js'
import { chainForThreads, mainThreadServices } from './threads/main-thread-services.js'
import { memoryLimits } from './threads/memory-limit.js'
import { ThreadPool } from './threads/thread-pool.js'
import { checkWorkerOptions, positive, readModules, readTimeout, type WorkerOptions } from './worker-options.js'

interface Waiting {
  readonly delivery: Delivery
  readonly settlements: QueueSettlements
}

const boot = shared('first worker of the process', () => ({ done: false }))

export class Worker {
  readonly broker: Broker
  readonly threads: number
  readonly concurrency: number
  readonly #options: WorkerOptions
  /** How long running messages may go on when it stops, in milliseconds. */
  readonly shutdownTimeout: number
  readonly #runner: Runner
  readonly #executor: Executor
  readonly #running = new RunningMessages()
  readonly #local = new LocalQueue<Waiting>()
  readonly #loops: ConsumerLoop[] = []
  readonly #unsettled = new UnsettledCount()
  readonly #stallWarning: StallWarning
  /** Aborts when it is told to stop. */
  readonly #stopping = new AbortController()
  /** Ends what is tried over and over, once the worker gave up. */
  readonly #abandon = new AbortController()
  #active = 0
  #dispatching = false
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
    this.#executor = new Executor(broker, this.#runner, this.#running)
    this.#stallWarning = new StallWarning({
      broker,
      executions: () => this.#running.executions(),
      isFull: () => this.#active > 0 && this.#active >= this.#runner.slots,
      waiting: () => this.#local.size,
      queues: () => this.queues,
    })
  }

  #makePool(): ThreadPool {
    // In a thread it never starts one, and there the process's script can't be told where the thread runs code of ours.
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
      onFree: () => this.#dispatch(),
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

  /** The messages whose actors run now. */
  get messages(): Iterable<Message> {
    return this.#running.executions().map(({ message }) => message)
  }

  /** The queues it consumes, once it is started. */
  get queues(): readonly string[] {
    return this.#loops.map((loop) => loop.consumer.queueName)
  }

  /**
   * Starts to take messages. In a thread of a worker's pool, which imports the script that started that worker, it
   * starts nothing: there it says that the thread is ready, and never resolves. When it can't start it stops; when it is
   * stopped meanwhile it resolves once that is done.
   *
   * A broker that is away doesn't keep it from starting; it takes messages once there is one.
   *
   * @throws {ModuleLoadError} when a thread can't load its modules. {BrokerUnusable} when the broker, as it is set up,
   * never will be of use.
   */
  async start(): Promise<void> {
    const main = mainThread()
    if (main) {
      await main.serve()
      // The thread ends. What comes after this call is for the main thread: a server that listens, a message that is sent.
      return new Promise(() => {})
    }
    if (this.#state !== 'new') throw new DramatisError('A worker can be started once; make another.')
    this.#state = 'starting'
    try {
      await this.#start()
    } catch (error) {
      // Whoever stops it while it starts pulls the rug from under it.
      if (this.#stopped) return this.#stopped
      await this.stop({ timeout: 0 })
      throw error
    }
  }

  async #start(): Promise<void> {
    const { broker } = this
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
    const { threads, concurrency } = this
    getLogger().info({ broker: broker.location, queues, threads, concurrency }, 'Worker started')
  }

  async #consume(queueName: string): Promise<void> {
    const { prefetch } = this.#options
    const slots = Math.max(1, this.threads) * this.concurrency
    const consumer = this.broker.consume(queueName, { prefetch: prefetch ?? 2 * slots })
    const loop = new ConsumerLoop(consumer, {
      prefetch: prefetch ?? slots,
      slots,
      adaptive: prefetch === undefined,
      isOver: () => this.broker.closed,
      accept: (delivery) => this.#accept(delivery, settlements),
    })
    const settlements = new QueueSettlements(consumer, {
      ran: () => {
        this.#active--
        if (this.#local.size > 0) this.#dispatch()
      },
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

  // — Running ————————————————————————————————————————————————————————————————————————————————————————————

  #accept(delivery: Delivery, settlements: QueueSettlements): void {
    this.#unsettled.count++
    if (this.#state === 'running') {
      this.#local.push({ delivery, settlements }, delivery.priority)
      this.#dispatch()
    } else {
      void settlements.requeue(delivery)
    }
  }

  #dispatch(): void {
    // An actor that is through at once asks for the next while it is being begun: this loop goes on then.
    if (this.#dispatching) return
    this.#dispatching = true
    while (this.#state === 'running' && this.#local.size > 0 && this.#active < this.#runner.slots) {
      this.#active++
      const { delivery, settlements } = this.#local.shift() as Waiting
      this.#executor.process(delivery, settlements)
    }
    this.#dispatching = false
  }

  // — Stopping ———————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Stops in good order. Takes no more, gives back what isn't started, lets what runs end for as long as
   * `shutdownTimeout` (or `timeout`), then aborts its signals and gives back what still runs. It resolves 4 s after that
   * time at the latest: what can't be settled by then is delivered again once the worker counts as gone.
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
    const running = new Deadline(timeout)
    const end = new Deadline(timeout + graces)
    getLogger().info({ running: this.#active, waiting: this.#local.size }, 'Worker stops')
    for (const loop of this.#loops) loop.halt()
    if (started) {
      const timeout = Math.max(grace.least, running.left)
      await emitInTime('beforeWorkerShutdown', () => chain.emit('beforeWorkerShutdown', this), timeout)
    }
    await Promise.all(this.#loops.map((loop) => this.#stopLoop(loop, running)))
    for (const { delivery, settlements } of this.#local.drain()) void settlements.requeue(delivery)
    await this.#unsettled.waitForNone(running.left)
    for (const message of this.messages) interrupt(message, new Shutdown())
    await this.#unsettled.waitForNone(Math.min(grace.actors, timeout))
    await atMost(Math.max(grace.least, Math.min(grace.threads, end.left - grace.last)), this.#runner.stop())
    await this.#unsettled.waitForNone(grace.actors)
    this.#abandon.abort(new BrokerClosed())
    await this.#unsettled.waitForNone(grace.least)
    this.#state = 'stopped'
    this.#running.close()
    this.#unsettled.warnIfAny()
    const rest = Math.max(grace.least, end.left - grace.broker)
    if (started) await emitInTime('afterWorkerShutdown', () => chain.emit('afterWorkerShutdown', this), rest)
    getLogger().info({}, 'Worker stopped')
  }

  async #stopLoop(loop: ConsumerLoop, running: Deadline): Promise<void> {
    const { queueName } = loop.consumer
    const hook = 'beforeConsumerThreadShutdown'
    const emit = (): Promise<void> | undefined => this.broker.chain.emit(hook, queueName, this)
    await emitInTime(hook, emit, Math.max(grace.least, running.left))
    try {
      await atMost(Math.max(grace.least, Math.min(grace.consumers, running.left)), loop.stop())
    } catch (error) {
      getLogger().warn({ err: error, queueName }, 'A consumer did not close cleanly')
    }
  }

  /** Waits until every queue it consumes is empty and nothing is in hand. */
  async join(options: { timeout?: Duration | undefined } = {}): Promise<void> {
    readTimeout(options, 'join()')
    await Promise.all(this.queues.map((queueName) => this.broker.join(queueName, options)))
    await this.#unsettled.waitForNone()
  }
}
