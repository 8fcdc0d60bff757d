/** A broker in memory whose connection can be lost, and that writes down what happened to its messages. */
import { MemoryBroker } from '../brokers/memory/index.js'
import type { BrokerOptions } from '../lib/broker.js'
import type { DeadLetterPage, QueueStats } from '../lib/consumer.js'
import type { MiddlewareClass } from '../lib/middleware.js'
import type { Entry } from '../lib/outcome.js'
import type { StateBackend } from '../lib/state/backend.js'
import type { Refusal } from '../lib/state/changes.js'
import type { ConditionalEntry } from '../lib/state/steps.js'
import { Conditions } from './conditions.js'
import { assertConnected, FaultSwitches } from './faults.js'
import { FaultyState } from './faulty-state.js'
import { History } from './history.js'
import type { Left } from './left.js'
import { TestConsumer } from './test-consumer.js'

export class FaultyBroker extends MemoryBroker {
  protected readonly conditions = new Conditions()
  protected readonly history = new History(this.conditions)
  protected readonly switches = new FaultSwitches(() => {
    for (const consumer of this.#consumers) consumer.endTake()
  })
  readonly #consumers: TestConsumer[] = []

  constructor(options: BrokerOptions) {
    super(options)
    // First in the chain, so that its `after…` hooks are called last: what is awaited has then happened.
    const [first] = this.middleware
    this.use(this.history, first && { before: first.constructor as MiddlewareClass })
  }

  protected override makeConsumer(queueName: string): TestConsumer {
    const consumer = new TestConsumer({
      make: () => super.makeConsumer(queueName),
      faults: this.switches,
      storeAgain: (message) => super.store([{ message, stored: true }]),
      countDead: () => this.statsNow(queueName).dead,
      deadLettered: ({ body }, reason) => this.history.deadLetter(body, reason),
      settled: () => this.conditions.changed(),
    })
    this.#consumers.push(consumer)
    return consumer
  }

  /** The messages in these queues. */
  protected leftIn(queueNames: readonly string[]): Left {
    const left: Left = { ready: 0, delayed: 0, inFlight: 0, due: undefined }
    for (const queueName of queueNames) {
      const { ready, delayed, inFlight } = this.statsNow(queueName)
      left.ready += ready
      left.delayed += delayed
      left.inFlight += inFlight
      const due = this.nextDue(queueName)
      if (due === undefined) continue
      left.due = Math.min(left.due ?? Number.POSITIVE_INFINITY, Math.max(0, due - this.clock.now()))
    }
    return left
  }

  // — Calls of the store, which fail while the connection is lost ————————————————————————————————————————

  protected override async store(entries: readonly Entry[]): Promise<void> {
    assertConnected(this.switches)
    await super.store(entries)
  }

  protected override async storeIf(entries: readonly ConditionalEntry[]): Promise<readonly (Refusal | undefined)[]> {
    assertConnected(this.switches)
    const refusals = await super.storeIf(entries)
    for (const [index, { entry, replaces }] of entries.entries()) {
      if (replaces !== undefined && !refusals[index]) this.history.replace(entry)
    }
    return refusals
  }

  protected override makeState(): StateBackend {
    return new FaultyState({ clock: this.clock, faults: this.switches })
  }

  protected override async checkStore(): Promise<void> {
    assertConnected(this.switches)
  }

  protected override async readStats(queueName: string): Promise<QueueStats> {
    assertConnected(this.switches)
    return super.readStats(queueName)
  }

  protected override async clear(queueName: string): Promise<void> {
    assertConnected(this.switches)
    await super.clear(queueName)
    this.conditions.changed()
  }

  protected override async readDeadLetters(queueName: string, limit: number, cursor?: string): Promise<DeadLetterPage> {
    assertConnected(this.switches)
    return super.readDeadLetters(queueName, limit, cursor)
  }

  protected override async takeDeadLetter(id: string, then: 'requeue' | 'delete'): Promise<boolean> {
    assertConnected(this.switches)
    return super.takeDeadLetter(id, then)
  }
}
