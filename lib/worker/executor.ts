/**
 * A message's life in a worker: accept, before, around, run, after, settle. It decides nothing by itself but what no
 * plugin can: what is no message, what nobody can run, what killed its workers too often.
 */
import type { Broker, Consumer, Delivery } from '../broker.js'
import { checkSerializable } from '../encoder.js'
import { ActorNotFound, BrokerError, Retry, SkipMessage, WorkerLost } from '../errors.js'
import { summary, toError, traceback } from '../failure.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import { type AnyActor, HookFailed, type Rejection } from '../middleware.js'
import { Outcome } from '../outcome.js'
import { backoff } from '../time.js'
import { Execution, GivenBack, type Runner } from './execution.js'

/** Called when the actor is through, so that the next message can start while this one is being settled. */
type OnRun = () => void

export class Executor {
  constructor(
    private readonly broker: Broker,
    private readonly runner: Runner,
    /** The messages whose actors run now. */
    private readonly inHand: Set<Message>,
  ) {}

  /** Brings a delivery to its end. Rejects only when the broker is closed or out of reach; then others will get it. */
  async process(delivery: Delivery, consumer: Consumer, onRun: OnRun): Promise<void> {
    let accepted: { message: Message; actor: AnyActor }
    try {
      accepted = this.#accept(delivery)
    } catch (error) {
      onRun()
      return this.#refuse(delivery, consumer, toError(error))
    }
    const { message, actor } = accepted
    try {
      if (delivery.deliveryCount > 1) await consumer.begin(delivery)
      const outcome = await this.#run(message, actor, delivery, onRun)
      const after = this.broker.chain.emit('afterProcessMessage', message, outcome, this.broker)
      if (after) await after
      await this.#settle(delivery, consumer, message, outcome)
    } catch (error) {
      if (error instanceof BrokerError) throw error
      if (error instanceof SkipMessage) await this.#skip(delivery, consumer, message, error)
      else if (error instanceof GivenBack) await this.#giveBack(delivery, consumer, message, error)
      else if (error instanceof HookFailed) await this.#redeliver(delivery, consumer, message, actor, error)
      else await this.#refuse(delivery, consumer, toError(error))
    }
  }

  /** Reads the body, finds the actor, and counts the deaths. */
  #accept(delivery: Delivery): { message: Message; actor: AnyActor } {
    const message = Message.decode(delivery.body)
    const actor = this.broker.actors.get(message.actorName)
    if (!actor) throw new ActorNotFound(message.actorName)
    if (delivery.deliveryCount > 1) {
      const allowed = this.broker.chain.maxDeliveries(message, actor)
      if (delivery.deliveryCount > allowed) {
        const times = delivery.deliveryCount - 1
        throw new WorkerLost(
          `worker lost: delivered ${times} ${times === 1 ? 'time' : 'times'} and never settled; its workers died, or a plugin failed`,
        )
      }
    }
    return { message, actor }
  }

  /** Before, around, run: the actor's result or error; intents and interruptions are thrown on. */
  async #run(message: Message, actor: AnyActor, delivery: Delivery, onRun: OnRun): Promise<Outcome> {
    const { chain } = this.broker
    this.inHand.add(message)
    try {
      const before = chain.emit('beforeProcessMessage', message, this.broker)
      if (before) await before
      const wanted = chain.wantsResult(message, actor)
      const execution = new Execution(message, delivery.body, actor, wanted, this.runner, this.broker.clock)
      const result = await chain.around(message, () => execution.run(), this.broker)
      if (wanted === 'json' && result !== undefined) checkSerializable(result, 'result')
      return new Outcome(message, result, undefined)
    } catch (error) {
      if (error instanceof SkipMessage || error instanceof GivenBack || error instanceof HookFailed) throw error
      return new Outcome(message, undefined, toError(error))
    } finally {
      this.inHand.delete(message)
      onRun()
    }
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

  async #skip(delivery: Delivery, consumer: Consumer, message: Message, skip: SkipMessage): Promise<void> {
    getLogger().info({ messageId: message.messageId, actorName: message.actorName }, `Skipped: ${skip.message}`)
    try {
      await this.broker.chain.emit('afterSkipMessage', message, skip, this.broker)
      if (skip.fail) return await this.#deadLetter(delivery, consumer, message, { reason: skip.message, error: skip })
      await this.#settle(delivery, consumer, message, new Outcome(message, null, undefined))
    } catch (error) {
      if (!(error instanceof HookFailed)) throw error
      await this.#redeliver(delivery, consumer, message, undefined, error)
    }
  }

  /** Back to the queue, as if it had never been taken. */
  async #giveBack(delivery: Delivery, consumer: Consumer, message: Message, why: GivenBack): Promise<void> {
    getLogger().info(
      { messageId: message.messageId, actorName: message.actorName },
      `Goes back to its queue: ${why.message}`,
    )
    await this.broker.chain.emit('afterInterruptMessage', message, this.broker)?.catch(() => {})
    await consumer.requeue(delivery)
  }

  /** An essential plugin failed: not acknowledged but delivered again after a while, and counted. */
  async #redeliver(
    delivery: Delivery,
    consumer: Consumer,
    message: Message,
    actor: AnyActor | undefined,
    error: HookFailed,
  ): Promise<void> {
    const allowed = actor ? this.broker.chain.maxDeliveries(message, actor) : Number.POSITIVE_INFINITY
    if (delivery.deliveryCount >= allowed) {
      return consumer.deadLetter(delivery, { reason: error.message, traceback: traceback(error) }, [])
    }
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
