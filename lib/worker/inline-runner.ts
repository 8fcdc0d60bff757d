/**
 * Runs actors on the main event loop (`threads: 0`): for services that embed a worker, and for tests. Nothing can be
 * terminated here; an actor that ignores its signal goes on unwatched when its slot is freed.
 */
import { RunningMessage, runActor } from '../current.js'
import type { Interrupt } from '../errors.js'
import { getLogger } from '../logger.js'
import { type Execution, GivenBack, type Runner } from './execution.js'

interface Run {
  readonly running: RunningMessage
  readonly reject: (error: unknown) => void
}

export class InlineRunner implements Runner {
  readonly slots: number
  readonly #runs = new Map<Execution, Run>()

  constructor({ concurrency }: { concurrency: number }) {
    this.slots = concurrency
  }

  async start(): Promise<void> {}

  run(execution: Execution): Promise<unknown> {
    const running = new RunningMessage(execution.message)
    return new Promise((resolve, reject) => {
      this.#runs.set(execution, { running, reject })
      const done = (): void => void this.#runs.delete(execution)
      try {
        const result = runActor(execution.actor.fn, running)
        if (isThenable(result)) {
          result.then(
            (value) => {
              done()
              resolve(value)
            },
            (error) => {
              done()
              reject(error)
            },
          )
        } else {
          done()
          resolve(result)
        }
      } catch (error) {
        done()
        reject(error)
      }
    })
  }

  abort(execution: Execution, reason: Interrupt): void {
    this.#runs.get(execution)?.running.abort(reason)
  }

  kill(execution: Execution, reason: Interrupt): number {
    const run = this.#runs.get(execution)
    if (!run) return 0
    this.#runs.delete(execution)
    const { actorName, messageId } = execution.message
    getLogger().warn(
      { actorName, messageId },
      `"${actorName}" ignores its signal and can't be stopped without threads; it goes on, its slot is freed`,
    )
    run.reject(reason)
    return 0
  }

  starvation(): number {
    return 0
  }

  async stop(): Promise<void> {
    for (const [execution, run] of this.#runs) {
      this.#runs.delete(execution)
      run.reject(new GivenBack('The worker stopped before the actor ended.'))
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}
