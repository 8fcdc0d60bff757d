/**
 * Runs actors on the main event loop (`threads: 0`): for services that embed a worker, and for tests. Nothing can be
 * terminated here; an actor that ignores its signal goes on unwatched when its slot is freed.
 */
import type { Broker } from '../broker.js'
import { RunningMessage, runActor } from '../current.js'
import type { Interrupt } from '../errors.js'
import { getLogger } from '../logger.js'
import { type Execution, GivenBack, type Runner } from './execution.js'
import type { InHand } from './in-hand.js'

export class InlineRunner implements Runner {
  readonly slots: number
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
    const running = new RunningMessage(execution.message)
    execution.run = running
    const result = runActor(execution.actor.fn, running, this.#broker)
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function')
      return execution.succeed(result)
    ;(result as PromiseLike<unknown>).then(
      (value) => execution.succeed(value),
      (error) => execution.fail(error),
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
