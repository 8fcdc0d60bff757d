/**
 * A message's life in a worker: accept, before, around, run, after, settle. It decides nothing by itself but what no
 * plugin can: what is no message, what nobody can run, what killed its workers too often.
 */
import type { Broker } from '../broker.js'
import type { Consumer, Delivery } from '../consumer.js'
import { checkSerializable } from '../encoder.js'
import { ActorNotFound, BrokerClosed, BrokerError, HookFailed, Retry, SkipMessage, WorkerLost } from '../errors.js'
import { summary, toError, traceback } from '../failure.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import type { Rejection } from '../middleware.js'
import { checkWireOptions } from '../options.js'
import { Outcome } from '../outcome.js'
import { backoff } from '../time.js'
import { Execution, GivenBack, type InHand, type Runner } from './execution.js'

/** Where deliveries come from, and what is told about them: one for each queue that a worker consumes. */
export interface Desk {
  /** Settlements through it are tried until they work. */
  readonly consumer: Consumer
  /** Acknowledges what needs nothing else, together with others, and sees to the rest: `settled` isn't called for it. */
  acknowledge(delivery: Delivery): void
  /** The actor is through: the next message can start while this one is being settled. */
  ran(): void
  /** The message is settled, or never will be from here. */
  settled(): void
}

export class Executor {
  constructor(
    private readonly broker: Broker,
    private readonly runner: Runner,
    /** The messages whose actors run now. */
    private readonly inHand: InHand,
  ) {}

  /** Brings a delivery to its end. Never rejects: what can't be settled is logged, and delivered to others in time. */
  async process(delivery: Delivery, desk: Desk): Promise<void> {
    const { consumer } = desk
    let execution: Execution | undefined
    try {
      execution = this.#accept(delivery)
      const { message } = execution
      if (delivery.deliveryCount > 1) await consumer.begin(delivery)
      let outcome: Outcome
      try {
        outcome = this.#succeeded(execution, await this.#start(execution))
      } catch (error) {
        outcome = this.#failed(execution, error)
      } finally {
        this.inHand.delete(message)
        execution.end()
        execution.over = true
        desk.ran()
      }
      const after = this.broker.chain.emit('afterProcessMessage', message, outcome, this.broker)
      if (after) await after
      if (this.#isOrdinary(outcome)) return desk.acknowledge(delivery)
      await this.#settle(delivery, consumer, message, outcome)
    } catch (error) {
      if (!execution?.over) desk.ran()
      await this.#settleOtherwise(delivery, consumer, execution, error)
    }
    desk.settled()
  }

  /** Before, and then around the actor. */
  #start(execution: Execution): unknown {
    const { message } = execution
    this.inHand.set(message, execution)
    const before = this.broker.chain.emit('beforeProcessMessage', message, this.broker)
    return before ? before.then(() => this.#surround(execution)) : this.#surround(execution)
  }

  #surround(execution: Execution): unknown {
    const { chain } = this.broker
    const { message, actor } = execution
    execution.wanted = chain.wantsResult(message, actor)
    if (!chain.has('aroundProcess')) return execution.start()
    const run = async (): Promise<unknown> => {
      try {
        return await execution.start()
      } finally {
        // What plugins do after the actor isn't the actor's time.
        execution.end()
      }
    }
    return chain.around(message, run, this.broker)
  }

  #succeeded(execution: Execution, result: unknown): Outcome {
    if (execution.failedAllTheSame) throw execution.failedAllTheSame
    if (execution.wanted === 'json' && result !== undefined) checkSerializable(result, 'result')
    return new Outcome(execution.message, result, undefined)
  }

  /** Intents and interruptions are thrown on; they are no outcomes. */
  #failed(execution: Execution, thrown: unknown): Outcome {
    const error = execution.verdict(thrown)
    if (error instanceof SkipMessage || error instanceof GivenBack || error instanceof HookFailed) throw error
    return new Outcome(execution.message, undefined, toError(error))
  }

  #isOrdinary({ error, decision, sends }: Outcome): boolean {
    const { chain } = this.broker
    return !error && decision === 'ack' && sends.length === 0 && !chain.has('beforeAck') && !chain.has('afterAck')
  }

  /** Every end but the ordinary ones. */
  async #settleOtherwise(
    delivery: Delivery,
    consumer: Consumer,
    execution: Execution | undefined,
    error: unknown,
  ): Promise<void> {
    try {
      if (!execution) await this.#refuse(delivery, consumer, toError(error))
      else if (error instanceof SkipMessage) await this.#skip(delivery, consumer, execution, error)
      else if (error instanceof GivenBack) await this.#giveBack(delivery, consumer, execution.message, error)
      else if (error instanceof HookFailed) await this.#redeliver(delivery, consumer, execution, error)
      else if (error instanceof BrokerError) throw error
      else await this.#refuse(delivery, consumer, toError(error))
    } catch (failure) {
      if (failure instanceof BrokerClosed) return
      const { queueName } = delivery
      getLogger().error({ err: failure, queueName }, 'A message could not be settled; it will be delivered again')
    }
  }

  /** Reads the body, finds the actor, and counts the deaths. */
  #accept(delivery: Delivery): Execution {
    const message = Message.decode(delivery.body)
    const actor = this.broker.actors.get(message.actorName)
    if (!actor) throw new ActorNotFound(message.actorName)
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
    return new Execution(message, delivery.body, actor, this.runner, this.broker.clock)
  }

  /** Carries out what was decided, in one step. */
  async #settle(delivery: Delivery, consumer: Consumer, message: Message, outcome: Outcome): Promise<void> {
    const { sends, error, decision } = outcome
    if (error) this.#log(message, outcome, error)
    if (decision === 'dead-letter') {
      const reason = outcome.reason ?? (error ? summary(error) : 'given up by a plugin')
      return this.#deadLetter(delivery, consumer, message, { reason, error }, sends)
    }
    const { chain } = this.broker
    const before = chain.emit('beforeAck', message, this.broker)
    if (before) await before
    if (sends.length > 0) await this.broker.beforeEnqueue(sends)
    await consumer.ack(delivery, sends)
    if (sends.length > 0) await this.broker.afterEnqueue(sends)
    await chain.emit('afterAck', message, this.broker)
  }

  async #deadLetter(
    delivery: Delivery,
    consumer: Consumer,
    message: Message,
    rejection: Rejection,
    sends: Outcome['sends'] = [],
  ): Promise<void> {
    const { chain } = this.broker
    await chain.emit('beforeNack', message, rejection, this.broker)
    if (sends.length > 0) await this.broker.beforeEnqueue(sends)
    await consumer.deadLetter(delivery, reasonOf(rejection), sends)
    if (sends.length > 0) await this.broker.afterEnqueue(sends)
    await chain.emit('afterNack', message, rejection, this.broker)
  }

  async #skip(delivery: Delivery, consumer: Consumer, execution: Execution, skip: SkipMessage): Promise<void> {
    const { message } = execution
    getLogger().info({ messageId: message.messageId, actorName: message.actorName }, `Skipped: ${skip.message}`)
    try {
      await this.broker.chain.emit('afterSkipMessage', message, skip, this.broker)
      if (skip.fail) return await this.#deadLetter(delivery, consumer, message, { reason: skip.message, error: skip })
      await this.#settle(delivery, consumer, message, new Outcome(message, null, undefined))
    } catch (error) {
      if (!(error instanceof HookFailed)) throw error
      await this.#redeliver(delivery, consumer, execution, error)
    }
  }

  /** Back to the queue, as if it had never been taken. */
  async #giveBack(delivery: Delivery, consumer: Consumer, message: Message, why: GivenBack): Promise<void> {
    getLogger().info(
      { messageId: message.messageId, actorName: message.actorName },
      `Goes back to its queue: ${why.message}`,
    )
    try {
      await this.broker.chain.emit('afterInterruptMessage', message, this.broker)
    } catch {
      // Logged by the chain. Nothing was done that could be stopped.
    }
    await consumer.requeue(delivery)
  }

  /** An essential plugin failed: not acknowledged but delivered again after a while, and counted. */
  async #redeliver(
    delivery: Delivery,
    consumer: Consumer,
    { message, actor }: Execution,
    error: HookFailed,
  ): Promise<void> {
    const allowed = this.broker.chain.maxDeliveries(message, actor)
    if (delivery.deliveryCount >= allowed) return this.#refuse(delivery, consumer, error)
    const delay = backoff(delivery.deliveryCount - 1, redelivery)
    getLogger().warn(
      { messageId: message.messageId, actorName: message.actorName, delay },
      'Not acknowledged; delivered again later',
    )
    await consumer.requeue(delivery, { counted: true, delay })
  }

  /** What can't be run at all is kept with the reason, and logged this once. */
  async #refuse(delivery: Delivery, consumer: Consumer, error: Error): Promise<void> {
    getLogger().error({ err: error, queueName: delivery.queueName }, `Dead-lettered: ${error.message}`)
    const rejection = { reason: error.message, error }
    let message: Message | undefined
    try {
      message = Message.decode(delivery.body)
    } catch {
      // No message, so no hooks for it.
    }
    try {
      if (message) return await this.#deadLetter(delivery, consumer, message, rejection)
    } catch (hookError) {
      if (!(hookError instanceof HookFailed)) throw hookError
    }
    await consumer.deadLetter(delivery, reasonOf(rejection), [])
  }

  #log(message: Message, { decision, sends, reason }: Outcome, error: Error): void {
    const fields = { messageId: message.messageId, actorName: message.actorName, queueName: message.queueName }
    if (decision === 'retry') {
      const retry = { ...fields, delay: sends[0]?.delay }
      if (error instanceof Retry) getLogger().info(retry, `To be retried: ${error.message}`)
      else getLogger().warn({ ...retry, err: error }, `Failed, to be retried: ${summary(error)}`)
    } else {
      getLogger().error({ ...fields, err: error }, `Failed for good: ${reason ?? summary(error)}`)
    }
  }
}

/** How soon a message comes back whose plugin failed: from a second up to five minutes. */
const redelivery = { factor: 1000, max: 300_000 }

function reasonOf({ reason, error }: Rejection): { reason: string; traceback?: string } {
  return error ? { reason, traceback: traceback(error) } : { reason }
}
