/**
 * Runs actors on the main event loop (`threads: 0`): for services that embed a worker, and for tests. Nothing can be
 * terminated here; an actor that ignores its signal goes on unwatched when its slot is freed.
 */
import type { Broker } from '../broker.js'
import { asPromise, RunningMessage, runActor } from '../current.js'
import type { Interrupt } from '../errors.js'
import { toError } from '../failure.js'
import { getLogger } from '../logger.js'
import { Message } from '../message.js'
import { type Execution, GivenBack, type Runner } from './execution.js'
import type { InHand } from './in-hand.js'

export class InlineRunner implements Runner {
  readonly slots: number
  readonly checksResults = false
  readonly #inHand: InHand
  readonly #broker: Broker
  #started = false

  constructor({ broker, concurrency, inHand }: { broker: Broker; concurrency: number; inHand: InHand }) {
    this.slots = concurrency
    this.#broker = broker
    this.#inHand = inHand
  }

  /** The event loop it runs on takes the place of a thread. */
  async start(): Promise<void> {
    this.#started = true
    await this.#broker.chain.emit('afterThreadStart', this.#broker)
  }

  run(execution: Execution): void {
    const running = new RunningMessage(ownCopy(execution))
    execution.run = running
    let result: unknown
    try {
      result = asPromise(runActor(execution.actor.fn, running, this.#broker))
    } catch (error) {
      return execution.fail(toError(error))
    }
    if (!(result instanceof Promise)) return succeed(execution, result)
    result.then(
      (value) => succeed(execution, value),
      (error) => execution.fail(toError(error)),
    )
  }

  abort(execution: Execution, reason: Interrupt): void {
    ;(execution.run as RunningMessage | undefined)?.abort(reason)
  }

  kill(execution: Execution, reason: Interrupt): number {
    if (execution.over) return 0
    const { actorName, messageId } = execution.message
    getLogger().warn(
      { actorName, messageId },
      `"${actorName}" ignores its signal and can't be stopped without threads; it goes on, its slot is freed`,
    )
    execution.fail(reason)
    return 0
  }

  starvation(): number {
    return 0
  }

  async stop(): Promise<void> {
    for (const execution of this.#inHand.executions()) {
      if (execution.run) execution.fail(new GivenBack('the worker stopped before the actor ended'))
    }
    if (!this.#started) return
    this.#started = false
    try {
      await this.#broker.chain.emit('beforeThreadStop', this.#broker)
    } catch {
      // Logged by the chain; nothing keeps a worker from stopping.
    }
  }
}

/**
 * What an actor changes in its arguments is not to be seen by a retry: it gets objects of its own, as on a thread.
 */
function ownCopy({ message, delivery }: Execution): Message {
  const { args, kwargs } = message
  for (const arg of args) if (typeof arg === 'object' && arg !== null) return Message.decode(delivery.body)
  for (const _ in kwargs) return Message.decode(delivery.body)
  return message
}

/** A result that nobody needs isn't shown inline either. */
function succeed(execution: Execution, result: unknown): void {
  execution.succeed(execution.wanted === 'none' ? undefined : result)
}
