/**
 * The steps of a message in a worker: accept, before, around, run, after, settle. Plugins decide what becomes of it. The
 * executor itself only dead-letters what no plugin can handle: bodies that are no message, messages without an actor, and
 * messages whose workers were lost too often.
 */
import type { Broker } from '../broker.js'
import type { Delivery } from '../consumer.js'
import { checkSerializable } from '../encoder.js'
import { ActorNotFound, BrokerClosed, BrokerError, HookFailed, SkipMessage, WorkerLost } from '../errors.js'
import { loggable, textOf, toError, withoutFrames } from '../failure.js'
import { getLogger, isDebugEnabled } from '../logger.js'
import { Message } from '../message.js'
import { checkWireOptions } from '../options.js'
import { Outcome } from '../outcome.js'
import { backoff } from '../time.js'
import {
  type DeliverySettlements,
  Execution,
  type ExecutionObserver,
  GivenBack,
  type RunControl,
  type Runner,
} from './execution.js'
import type { RunningMessages } from './running-messages.js'
import { deadLetter, deadLetterAnyway, settle } from './settling/settle.js'
import { logSettlement, noteStart, reasonOf, reportSettlement } from './settling/settlement-report.js'
import type { SettlingConsumer, UnsettledDelivery } from './settling/unsettled-delivery.js'

/**
 * The steps call each other instead of being one async function, and await only where there is a promise: for a message
 * that takes no time, promises are most of its cost.
 */
export class Executor implements ExecutionObserver {
  constructor(
    private readonly broker: Broker,
    private readonly runner: Runner,
    /** The messages whose actors run now. */
    private readonly running: RunningMessages,
    /** Runs the messages of batch actors. */
    private readonly batches: RunControl,
  ) {}

  /** Processes a delivery to its end. Never throws: a delivery that can't be settled is logged, and redelivered later. */
  process(delivery: Delivery, settlements: DeliverySettlements): void {
    let execution: Execution
    try {
      execution = this.#accept(delivery, settlements)
    } catch (error) {
      settlements.ran()
      return void this.#settleSpecial(delivery, settlements, undefined, withoutFrames(toError(error)))
    }
    if (delivery.deliveryCount === 1) return this.#begin(execution)
    const failed = (error: unknown): void => {
      settlements.ran()
      void this.#settleSpecial(delivery, settlements, execution, error)
    }
    settlements.consumer.begin(delivery).then(() => this.#begin(execution), failed)
  }

  /** Before, and then around the actor. */
  #begin(execution: Execution): void {
    const { message } = execution
    if (isDebugEnabled()) noteStart(message)
    this.running.add(execution)
    try {
      const before = execution.chain.emit('beforeProcessMessage', message, this.broker)
      if (!before) this.#surround(execution)
      else before.then(() => this.#surround(execution)).catch((error) => execution.fail(error))
    } catch (error) {
      execution.fail(error)
    }
  }

  #surround(execution: Execution): void {
    const { message, actor, chain } = execution
    execution.wanted = chain.wantsResult(message, actor)
    if (!chain.surrounds) return execution.start()
    // The time limit is the actor's: it doesn't include what plugins do afterwards.
    const run = (): Promise<unknown> => execution.startAsPromise().finally(() => execution.endWatch())
    chain.around(message, run, this.broker).then(
      (result) => this.onResult(execution, result),
      (error) => this.onError(execution, error),
    )
  }

  /** The actor returned. */
  onResult(execution: Execution, result: unknown): void {
    if (execution.chainEnded) return
    try {
      if (execution.overridingError) throw execution.overridingError
      const unchecked = !this.runner.checksResults || this.broker.chain.surrounds
      if (execution.wanted === 'json' && result !== undefined && unchecked) checkSerializable(result, 'result')
    } catch (error) {
      return this.onError(execution, error)
    }
    this.#finishRun(execution)
    this.#conclude(execution, new Outcome(execution.message, result, undefined))
  }

  /** The actor threw, or was stopped. A skip, an interruption and a failed plugin have no outcome. */
  onError(execution: Execution, thrown: unknown): void {
    if (execution.chainEnded) return
    const error = execution.resolveError(toError(thrown))
    this.#finishRun(execution)
    if (error instanceof SkipMessage || error instanceof GivenBack || error instanceof HookFailed) {
      void this.#settleSpecial(execution.delivery, execution.settlements, execution, error)
    } else {
      this.#conclude(execution, new Outcome(execution.message, undefined, error))
    }
  }

  #finishRun(execution: Execution): void {
    execution.actorEnded = true
    execution.chainEnded = true
    this.running.delete(execution)
    execution.endWatch()
    execution.settlements.ran()
  }

  /** After, and then the settlement. */
  #conclude(execution: Execution, outcome: Outcome): void {
    const { delivery, settlements, message } = execution
    try {
      const after = execution.chain.emit('afterProcessMessage', message, outcome, this.broker)
      const before = after
        ? after.then(() => this.#beforeSettle(execution, outcome))
        : this.#beforeSettle(execution, outcome)
      if (!before && this.#isOrdinary(execution, outcome)) this.#acknowledge(execution, outcome)
      else void this.#settleAfter(before, execution, outcome)
    } catch (error) {
      void this.#settleSpecial(delivery, settlements, execution, error)
    }
  }

  /** All plugins have decided. */
  #beforeSettle({ message, chain }: Execution, outcome: Outcome): Promise<void> | undefined {
    outcome.conclude()
    return chain.emit('beforeSettleMessage', message, outcome, this.broker)
  }

  #acknowledge({ delivery, settlements, message }: Execution, outcome: Outcome): void {
    outcome.close()
    if (isDebugEnabled()) logSettlement(message, 'ack')
    settlements.acknowledge(delivery)
  }

  #isOrdinary({ message, actor, chain }: Execution, { error, decision, sends }: Outcome): boolean {
    if (error || decision !== 'ack' || sends.length > 0 || this.broker.chain.seesAcks) return false
    return !chain.joinsSettlement(message, actor)
  }

  async #settleAfter(before: Promise<void> | undefined, execution: Execution, outcome: Outcome): Promise<void> {
    const { delivery, settlements, message } = execution
    try {
      await before
      if (this.#isOrdinary(execution, outcome)) return this.#acknowledge(execution, outcome)
      outcome.close()
      await settle(this.#unsettled(delivery, settlements.consumer, message), outcome)
    } catch (error) {
      return this.#settleSpecial(delivery, settlements, execution, error)
    }
    settlements.settled()
  }

  /** All ends without an outcome, and failed settlements. */
  async #settleSpecial(
    delivery: Delivery,
    settlements: DeliverySettlements,
    execution: Execution | undefined,
    error: unknown,
  ): Promise<void> {
    const { consumer } = settlements
    try {
      if (!execution) await this.#refuse(delivery, consumer, toError(error))
      else if (error instanceof SkipMessage) await this.#skip(delivery, consumer, execution, error)
      else if (error instanceof GivenBack) await this.#requeue(delivery, consumer, execution.message, error)
      else if (error instanceof HookFailed) await this.#redeliver(delivery, consumer, execution, error)
      else if (error instanceof BrokerError) throw error
      else await this.#refuse(delivery, consumer, toError(error))
    } catch (failure) {
      const { queueName } = delivery
      if (!(failure instanceof BrokerClosed))
        getLogger().error(
          { err: loggable(failure), queueName },
          'A message could not be settled; it will be redelivered',
        )
    }
    settlements.settled()
  }

  /** Decodes the body, finds the actor, and checks the delivery count. */
  #accept(delivery: Delivery, settlements: DeliverySettlements): Execution {
    const message = Message.decode(delivery.body)
    const actor = this.broker.actors.get(message.actorName)
    if (!actor) throw new ActorNotFound(message.actorName, this.broker.actors.keys())
    checkWireOptions(message.options)
    if (delivery.deliveryCount > 1) {
      const allowed = this.broker.chain.maxDeliveries(message, actor)
      if (delivery.deliveryCount > allowed) {
        const times = delivery.deliveryCount - 1
        throw new WorkerLost(
          `worker lost: delivered ${times} ${times === 1 ? 'time' : 'times'} and never settled; its workers died, or a plugin failed`,
        )
      }
    }
    const runner = actor.batch ? this.batches : this.runner
    const chain = this.broker.chain.forMessage(message, actor)
    return new Execution(message, delivery, settlements, actor, chain, runner, this.broker.clock, this)
  }

  #unsettled(delivery: Delivery, consumer: SettlingConsumer, message: Message): UnsettledDelivery {
    return { broker: this.broker, consumer, delivery, message }
  }

  async #skip(delivery: Delivery, consumer: SettlingConsumer, execution: Execution, skip: SkipMessage): Promise<void> {
    const { message } = execution
    getLogger().info({ messageId: message.messageId, actorName: message.actorName }, `Skipped: ${skip.message}`)
    try {
      await this.broker.chain.emit('afterSkipMessage', message, skip, this.broker)
      const unsettled = this.#unsettled(delivery, consumer, message)
      if (skip.fail) return await deadLetter(unsettled, { reason: skip.message, error: skip })
      const settlement = { decision: 'skip', reason: skip.message } as const
      await settle(unsettled, new Outcome(message, null, undefined), settlement)
    } catch (error) {
      if (!(error instanceof HookFailed)) throw error
      await this.#redeliver(delivery, consumer, execution, error)
    }
  }

  /** Returns a message to its queue, as if it had never been taken. */
  async #requeue(delivery: Delivery, consumer: SettlingConsumer, message: Message, why: GivenBack): Promise<void> {
    const fields = { messageId: message.messageId, actorName: message.actorName }
    const text = `Requeued: ${why.message}`
    // A message with a delay may come here many times; the reason was logged when it arose.
    if (why.delay > 0) getLogger().debug({ ...fields, delay: why.delay }, text)
    else getLogger().info(fields, text)
    await this.broker.chain.emit('afterInterruptMessage', message, this.broker)
    const delay = why.delay > 0 ? why.delay : undefined
    await consumer.requeue(delivery, delay === undefined ? undefined : { delay })
    await reportSettlement(this.broker, message, { decision: 'requeue', reason: why.message, delay })
  }

  /** An essential plugin failed: the message is not acknowledged but redelivered later, and the delivery counts. */
  async #redeliver(
    delivery: Delivery,
    consumer: SettlingConsumer,
    { message, actor }: Execution,
    error: HookFailed,
  ): Promise<void> {
    const allowed = this.broker.chain.maxDeliveries(message, actor)
    if (delivery.deliveryCount >= allowed) return this.#refuse(delivery, consumer, error)
    const delay = backoff(delivery.deliveryCount - 1, redeliveryBackoff)
    getLogger().warn(
      { messageId: message.messageId, actorName: message.actorName, delay },
      'Not acknowledged: an essential plugin failed; it will be redelivered',
    )
    await consumer.requeue(delivery, { counted: true, delay })
    await reportSettlement(this.broker, message, { decision: 'requeue', reason: error.message, error, delay })
  }

  /** Dead-letters a message that can't be run, with the reason, and logs it once. */
  async #refuse(delivery: Delivery, consumer: SettlingConsumer, error: Error): Promise<void> {
    const reason = textOf(error)
    getLogger().error({ err: loggable(error), queueName: delivery.queueName }, `Dead-lettered: ${reason}`)
    const rejection = { reason, error }
    let message: Message | undefined
    try {
      message = Message.decode(delivery.body)
    } catch {
      // Not a message: there are no hooks to call.
    }
    if (!message) return consumer.deadLetter(delivery, reasonOf(rejection), [])
    const unsettled = this.#unsettled(delivery, consumer, message)
    try {
      await deadLetter(unsettled, rejection)
    } catch (hookError) {
      // Thrown by `beforeNack`: nothing is stored yet.
      if (!(hookError instanceof HookFailed)) throw hookError
      await deadLetterAnyway(unsettled, rejection)
    }
  }
}

/** The backoff of a message whose plugin failed, in milliseconds: from a second up to five minutes. */
const redeliveryBackoff = { factor: 1000, max: 300_000 }
