/**
 * An inline worker that runs messages only while it is asked to. Between two calls it takes nothing; what it has begun by
 * then it finishes. While the test has a worker of its own on the broker, that one does the work.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Broker } from '../lib/broker.js'
import { bindActors } from '../lib/declarations.js'
import { peekBroker } from '../lib/default-broker.js'
import type { Message } from '../lib/message.js'
import { Worker } from '../lib/worker/worker.js'
import type { WorkerContract } from '../lib/worker-contract.js'
import type { TestConsumer } from './test-consumer.js'

export class WorkerOnDemand {
  /** One for each set of queues that were declared together: a worker consumes those that it started with. */
  readonly #workers: Worker[] = []
  readonly #consumers: TestConsumer[] = []
  readonly #queues = new Set<string>()
  /** Tells the consumers of this worker from those of others. */
  readonly #starting = new AsyncLocalStorage<true>()
  #started: Promise<void> = Promise.resolve()
  /** How many calls ask for work at the moment. */
  #asking = 0
  /** The workers of the test that are running. */
  readonly #others = new Set<WorkerContract>()

  constructor(
    private readonly broker: Broker,
    private readonly concurrency: number,
  ) {}

  /** The queues of the actors that were declared when it was last asked. */
  get queues(): readonly string[] {
    return [...this.#queues]
  }

  /** The messages whose actors are running. */
  get running(): readonly Message[] {
    return this.#workers.flatMap((worker) => [...worker.messages])
  }

  /** How many messages gather in batches, if no actor is running; otherwise 0. */
  get gathering(): number {
    const each = this.#workers.map((worker) => worker.gathering)
    return each.reduce((total, one) => total + one, 0)
  }

  /** Starts to consume the queues of actors that were declared since the last call; takes nothing yet. */
  start(): Promise<void> {
    this.#started = this.#started.catch(() => {}).then(() => this.#start())
    return this.#started
  }

  async #start(): Promise<void> {
    const { broker, concurrency } = this
    if (peekBroker() === broker) bindActors(broker)
    const queues = new Set([...broker.actors.values()].map(({ queueName }) => queueName))
    for (const known of this.#queues) queues.delete(known)
    if (queues.size === 0 || broker.closed) return
    const worker = new Worker(broker, { threads: 0, concurrency, prefetch: concurrency, queues: [...queues] })
    this.#workers.push(worker)
    await this.#starting.run(true, () => worker.start())
    for (const queueName of queues) this.#queues.add(queueName)
  }

  /** Called with each consumer of the broker. */
  adopt(consumer: TestConsumer): void {
    if (!this.#starting.getStore()) return
    this.#consumers.push(consumer)
    if (!this.#isActive) consumer.pause()
  }

  /** Called when a worker of the broker has started. */
  afterWorkerBoot(worker: WorkerContract): void {
    if (this.#workers.includes(worker as Worker)) return
    this.#others.add(worker)
    this.#update()
  }

  /** Called when a worker of the broker has stopped. */
  afterWorkerShutdown(worker: WorkerContract): void {
    this.#others.delete(worker)
    this.#update()
  }

  get #isActive(): boolean {
    return this.#asking > 0 && this.#others.size === 0
  }

  #update(): void {
    for (const consumer of this.#consumers) {
      if (this.#isActive) consumer.resume()
      else consumer.pause()
    }
  }

  /** Runs messages until `ask` is done. */
  async during<T>(ask: () => Promise<T>): Promise<T> {
    this.#asking++
    try {
      this.#update()
      await this.start()
      return await ask()
    } finally {
      this.#asking--
      this.#update()
    }
  }

  /** Stops at once: messages that are running return to their queue. */
  async stop(): Promise<void> {
    await this.#started.catch(() => {})
    await Promise.all(this.#workers.map((worker) => worker.stop({ timeout: 0 })))
  }
}
