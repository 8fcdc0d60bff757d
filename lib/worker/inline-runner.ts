/**
 * Runs actors on the main event loop (`threads: 0`): for services that embed a worker, and for tests. Nothing can be
 * terminated here; an actor that ignores its signal goes on unwatched when its slot is freed.
 */
import { RunningMessage, runActor } from '../current.js'
import type { Interrupt } from '../errors.js'
import { getLogger } from '../logger.js'
import { type Execution, GivenBack, type Runner } from './execution.js'

/** An actor that is waiting for something. */
class Run extends RunningMessage {
  reject: (error: unknown) => void = () => {}
}

export class InlineRunner implements Runner {
  readonly slots: number
  readonly #waiting = new Set<Execution>()
  #stopped = false

  constructor({ concurrency }: { concurrency: number }) {
    this.slots = concurrency
  }

  async start(): Promise<void> {}

  run(execution: Execution): unknown {
    if (this.#stopped) throw new GivenBack('the worker stopped before the actor began')
    const run = new Run(execution.message)
    execution.run = run
    const result = runActor(execution.actor.fn, run)
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return result
    return new Promise((resolve, reject) => {
      run.reject = reject
      this.#waiting.add(execution)
      const done = (): boolean => this.#waiting.delete(execution)
      ;(result as PromiseLike<unknown>).then(
        (value) => {
          done()
          resolve(value)
        },
        (error) => {
          done()
          reject(error)
        },
      )
    })
  }

  abort(execution: Execution, reason: Interrupt): void {
    ;(execution.run as Run | undefined)?.abort(reason)
  }

  kill(execution: Execution, reason: Interrupt): number {
    if (!this.#waiting.delete(execution)) return 0
    const { actorName, messageId } = execution.message
    getLogger().warn(
      { actorName, messageId },
      `"${actorName}" ignores its signal and can't be stopped without threads; it goes on, its slot is freed`,
    )
    ;(execution.run as Run).reject(reason)
    return 0
  }

  starvation(): number {
    return 0
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const execution of this.#waiting) {
      this.#waiting.delete(execution)
      ;(execution.run as Run).reject(new GivenBack('the worker stopped before the actor ended'))
    }
  }
}
