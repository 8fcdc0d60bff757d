/**
 * One queue of a worker: its consumer, with settlements that are tried until they work, and the count of what is open.
 */
import type { Consumer, Delivery } from '../../consumer.js'
import { BrokerClosed } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { isFinal, retryUntilDone } from '../consumer-loop.js'
import type { DeliverySettlements } from '../execution.js'
import { RepeatedFailure } from '../repeated-failure.js'
import { Acknowledger } from './batched-acks.js'

export interface QueueSettlementEvents {
  /** An actor is through; there may be room for the next message. */
  readonly ran: () => void
  /** A message is settled, or never will be from here. */
  readonly settled: () => void
  /** So many messages more don't count as held. */
  readonly exclude: (more: number) => void
  /** Aborts, with a `BrokerClosed`, what is tried over and over. */
  readonly abandon: AbortSignal
}

export class QueueSettlements implements DeliverySettlements {
  readonly consumer: Consumer
  readonly #acknowledger: Acknowledger
  readonly ran: () => void
  readonly settled: () => void
  readonly exclude: (more: number) => void

  constructor(consumer: Consumer, { ran, settled, exclude, abandon }: QueueSettlementEvents) {
    this.ran = ran
    this.settled = settled
    this.exclude = exclude
    this.consumer = withRetries(consumer, abandon)
    this.#acknowledger = new Acknowledger(consumer, settled, (delivery, error) => void this.#retryAck(delivery, error))
  }

  acknowledge(delivery: Delivery): void {
    this.#acknowledger.acknowledge(delivery)
  }

  /** Gives back what wasn't started. */
  async requeue(delivery: Delivery): Promise<void> {
    const { queueName } = this.consumer
    try {
      await this.consumer.requeue(delivery)
    } catch (error) {
      const text = 'A message could not be given back; others get it when this worker is gone'
      getLogger().warn({ err: error, queueName }, text)
    }
    this.settled()
  }

  async #retryAck(delivery: Delivery, first: unknown): Promise<void> {
    const { queueName } = this.consumer
    try {
      if (isFinal(first)) throw first
      await this.consumer.ack(delivery, [])
    } catch (error) {
      if (!(error instanceof BrokerClosed)) {
        getLogger().error({ err: error, queueName }, 'A message could not be acknowledged; it will be delivered again')
      }
    }
    this.settled()
  }
}

/** A consumer whose settlements are tried until they work. */
function withRetries(consumer: Consumer, abandon: AbortSignal): Consumer {
  const { queueName } = consumer
  const texts = {
    failing: `Can't settle messages of "${queueName}"`,
    over: `Settling messages of "${queueName}" again`,
  }
  const failure = new RepeatedFailure(texts, { queueName })
  const retry = async (settle: () => Promise<void>): Promise<void> => {
    const attempt = async (): Promise<void> => {
      try {
        await settle()
      } catch (error) {
        if (!isFinal(error) && !abandon.aborted) failure.failed(error)
        throw error
      }
    }
    await retryUntilDone(attempt, abandon)
    failure.recovered()
  }
  const untilSettled = async (settle: () => Promise<void>): Promise<void> => {
    try {
      await settle()
    } catch (error) {
      if (isFinal(error)) throw error
      failure.failed(error)
      await retry(settle)
    }
  }
  return {
    queueName: consumer.queueName,
    take: (limit) => consumer.take(limit),
    begin: (delivery) => untilSettled(() => consumer.begin(delivery)),
    ack: (delivery, sends) => untilSettled(() => consumer.ack(delivery, sends)),
    deadLetter: (delivery, reason, sends) => untilSettled(() => consumer.deadLetter(delivery, reason, sends)),
    requeue: (delivery, how) => untilSettled(() => consumer.requeue(delivery, how)),
    close: () => consumer.close(),
  }
}
