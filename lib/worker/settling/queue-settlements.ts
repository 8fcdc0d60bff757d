/**
 * Settles the deliveries of one queue of a worker, retries each settlement until it succeeds, and reports what is
 * settled.
 */
import type { Consumer, Delivery } from '../../consumer.js'
import { BrokerClosed } from '../../errors.js'
import { getLogger } from '../../logger.js'
import { isPermanentFailure, retryUntilDone } from '../consumer-loop.js'
import type { DeliverySettlements } from '../execution.js'
import { RepeatedFailure } from '../repeated-failure.js'
import { BatchedAcks } from './batched-acks.js'
import type { SettlingConsumer } from './unsettled-delivery.js'

export interface QueueSettlementEvents {
  /** An actor has finished: there may be room for the next message. */
  readonly ran: () => void
  /** A message is settled, or can't be settled by this worker any more. */
  readonly settled: () => void
  /** Excludes `more` messages from those that count as held. */
  readonly exclude: (more: number) => void
  /** Ends the retries, with a `BrokerClosed` as its reason. */
  readonly abandon: AbortSignal
}

export class QueueSettlements implements DeliverySettlements {
  readonly consumer: SettlingConsumer
  readonly #acks: BatchedAcks
  readonly ran: () => void
  readonly settled: () => void
  readonly exclude: (more: number) => void

  constructor(consumer: Consumer, { ran, settled, exclude, abandon }: QueueSettlementEvents) {
    this.ran = ran
    this.settled = settled
    this.exclude = exclude
    this.consumer = withRetries(consumer, abandon)
    this.#acks = new BatchedAcks(consumer, settled, (delivery, error) => void this.#retryAck(delivery, error))
  }

  acknowledge(delivery: Delivery): void {
    this.#acks.acknowledge(delivery)
  }

  /** Requeues a delivery that was not started. */
  async requeue(delivery: Delivery): Promise<void> {
    const { queueName } = this.consumer
    try {
      await this.consumer.requeue(delivery)
    } catch (error) {
      const text = 'A message could not be requeued; it will be redelivered once this worker counts as lost'
      getLogger().warn({ err: error, queueName }, text)
    }
    this.settled()
  }

  async #retryAck(delivery: Delivery, first: unknown): Promise<void> {
    const { queueName } = this.consumer
    try {
      if (isPermanentFailure(first)) throw first
      await this.consumer.ack(delivery, [])
    } catch (error) {
      if (!(error instanceof BrokerClosed)) {
        getLogger().error({ err: error, queueName }, 'A message could not be acknowledged; it will be redelivered')
      }
    }
    this.settled()
  }
}

function withRetries(consumer: Consumer, abandon: AbortSignal): SettlingConsumer {
  const { queueName } = consumer
  const texts = {
    failing: `Can't settle messages of "${queueName}"`,
    recovered: `Settling messages of "${queueName}" again`,
  }
  const failure = new RepeatedFailure(texts, { queueName })
  const retry = async <T>(settle: () => Promise<T>): Promise<T> => {
    const attempt = async (): Promise<T> => {
      try {
        return await settle()
      } catch (error) {
        if (!isPermanentFailure(error) && !abandon.aborted) failure.failed(error)
        throw error
      }
    }
    const settled = await retryUntilDone(attempt, abandon)
    failure.recovered()
    return settled
  }
  const untilSettled = async <T>(settle: () => Promise<T>): Promise<T> => {
    try {
      return await settle()
    } catch (error) {
      if (isPermanentFailure(error)) throw error
      failure.failed(error)
      return retry(settle)
    }
  }
  const settleWith = consumer.settleWith?.bind(consumer)
  return {
    queueName: consumer.queueName,
    untilSettled,
    take: (limit) => consumer.take(limit),
    begin: (delivery) => untilSettled(() => consumer.begin(delivery)),
    ack: (delivery, sends) => untilSettled(() => consumer.ack(delivery, sends)),
    deadLetter: (delivery, reason, sends) => untilSettled(() => consumer.deadLetter(delivery, reason, sends)),
    ...(settleWith && { settleWith: (delivery, step) => untilSettled(() => settleWith(delivery, step)) }),
    requeue: (delivery, how) => untilSettled(() => consumer.requeue(delivery, how)),
    close: () => consumer.close(),
  }
}
