/** Runs one message through the whole chain, as a worker does, and tells how it ended. */
import type { Broker } from '../lib/broker.js'
import type { Consumer, Delivery } from '../lib/consumer.js'
import { BrokerClosed, BrokerError } from '../lib/errors.js'
import { Batches } from '../lib/worker/batches.js'
import { Executor } from '../lib/worker/executor.js'
import { InlineRunner } from '../lib/worker/inline-runner.js'
import { RunningMessages } from '../lib/worker/running-messages.js'
import { QueueSettlements } from '../lib/worker/settling/queue-settlements.js'
import type { Conditions } from './conditions.js'
import type { EndedDelivery, History } from './history.js'

export class SingleRuns {
  readonly #running = new RunningMessages()
  readonly #runner: InlineRunner
  readonly #executor: Executor
  readonly #abandon = new AbortController()

  constructor(
    broker: Broker,
    private readonly conditions: Conditions,
    private readonly history: History,
  ) {
    this.#runner = new InlineRunner({ broker, concurrency: 1, running: this.#running })
    const batches: Batches = new Batches({
      runner: this.#runner,
      clock: broker.clock,
      onChange: () => batches.startNext(),
      alone: true,
    })
    this.#executor = new Executor(broker, this.#runner, this.#running, batches)
  }

  /** Runs a message that was taken. Resolves once it is settled. */
  async run(messageId: string, delivery: Delivery, consumer: Consumer): Promise<EndedDelivery> {
    const nothing = (): void => {}
    let settled = false
    const settlements = new QueueSettlements(consumer, {
      ran: nothing,
      settled: () => {
        settled = true
        this.conditions.changed()
      },
      exclude: nothing,
      abandon: this.#abandon.signal,
    })
    this.#executor.process(delivery, settlements)
    await this.conditions.until(() => settled || undefined)
    const end = this.history.endOf(messageId)
    if (!end) throw new BrokerError('The message could not be settled; the log says why.')
    return end
  }

  async stop(): Promise<void> {
    this.#abandon.abort(new BrokerClosed())
    await this.#runner.stop()
    this.#running.close()
  }
}
