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
import { entryModules } from './entry-modules.js'
import { interrupt, type Runner } from './execution.js'
import { Executor } from './executor.js'
import { chainForThreads, forThreads } from './for-threads.js'
import { InHand } from './in-hand.js'
import { InlineRunner } from './inline-runner.js'
import { Lane } from './lane.js'
import { LocalQueue } from './local-queue.js'
import { memoryLimits } from './memory-limit.js'
import { readQueues } from './queues.js'
import { emitInTime, grace, graces } from './shutdown.js'
import { SlotWatch } from './slot-watch.js'
import { checkStore } from './store-check.js'
import { ThreadPool } from './thread-pool.js'
import { Unsettled } from './unsettled.js'
import { checkWorkerOptions, positive, readModules, readTimeout, type WorkerOptions } from './worker-options.js'

interface Waiting {
  readonly delivery: Delivery
  readonly lane: Lane
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
  readonly #inHand = new InHand()
  readonly #local = new LocalQueue<Waiting>()
  readonly #loops: ConsumerLoop[] = []
  readonly #unsettled = new Unsettled()
  readonly #slotWatch: SlotWatch
  /** Aborts when it is told to stop. */
  readonly #stopping = new AbortController()
  /** Ends what is tried over and over, once the worker gave up. */
  readonly #givingUp = new AbortController()
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
        ? new InlineRunner({ broker, concurrency: this.concurrency, inHand: this.#inHand })
        : this.#makePool()
    this.#executor = new Executor(broker, this.#runner, this.#inHand)
    this.#slotWatch = new SlotWatch({
      broker,
      executions: () => this.#inHand.executions(),
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
      services: forThreads(this.broker),
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
    return this.#inHand.executions().map(({ message }) => message)
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
    this.#slotWatch.start()
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
    const atOnce = Math.max(1, this.threads) * this.concurrency
    const consumer = this.broker.consume(queueName, { prefetch: prefetch ?? 2 * atOnce })
    const loop = new ConsumerLoop(consumer, {
      prefetch: prefetch ?? atOnce,
      atOnce,
      adaptive: prefetch === undefined,
      isOver: () => this.broker.closed,
      accept: (delivery) => this.#accept(delivery, lane),
    })
    const lane = new Lane(consumer, {
      ran: () => {
        this.#active--
        if (this.#local.size > 0) this.#dispatch()
      },
      settled: () => {
        loop.release()
        this.#unsettled.settled()
      },
      setAside: (more) => loop.setAside(more),
      givingUp: this.#givingUp.signal,
    })
    this.#loops.push(loop)
    loop.start()
    await this.broker.chain.emit('afterConsumerThreadBoot', queueName, this)
  }

  // — Running ————————————————————————————————————————————————————————————————————————————————————————————

  #accept(delivery: Delivery, lane: Lane): void {
    this.#unsettled.count++
    if (this.#state === 'running') {
      this.#local.push({ delivery, lane }, delivery.priority)
      this.#dispatch()
    } else {
      void lane.giveBack(delivery)
    }
  }

  #dispatch(): void {
    // An actor that is through at once asks for the next while it is being begun: this loop goes on then.
    if (this.#dispatching) return
    this.#dispatching = true
    while (this.#state === 'running' && this.#local.size > 0 && this.#active < this.#runner.slots) {
      this.#active++
      const { delivery, lane } = this.#local.shift() as Waiting
      this.#executor.process(delivery, lane)
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
    this.#slotWatch.stop()
    const running = new Deadline(timeout)
    const end = new Deadline(timeout + graces)
    getLogger().info({ running: this.#active, waiting: this.#local.size }, 'Worker stops')
    for (const loop of this.#loops) loop.halt()
    if (started) {
      const patience = Math.max(grace.least, running.left)
      await emitInTime('beforeWorkerShutdown', () => chain.emit('beforeWorkerShutdown', this), patience)
    }
    await Promise.all(this.#loops.map((loop) => this.#stopLoop(loop, running)))
    for (const { delivery, lane } of this.#local.drain()) void lane.giveBack(delivery)
    await this.#unsettled.none(running.left)
    for (const message of this.messages) interrupt(message, new Shutdown())
    await this.#unsettled.none(Math.min(grace.actors, timeout))
    await atMost(Math.max(grace.least, Math.min(grace.threads, end.left - grace.last)), this.#runner.stop())
    await this.#unsettled.none(grace.actors)
    this.#givingUp.abort(new BrokerClosed())
    await this.#unsettled.none(grace.least)
    this.#state = 'stopped'
    this.#inHand.close()
    this.#unsettled.tell()
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
    await this.#unsettled.none()
  }
}
