/**
 * Reports the tasks that ended on a thread: those of one turn of the event loop in one message, with results and errors
 * in a form that can be cloned.
 */
import { checkSerializable } from '../../encoder.js'
import { packError } from '../../error-data.js'
import { NotSerializable } from '../../errors.js'
import { toError } from '../../failure.js'
import type { WantedResult } from '../../middleware.js'
import { messageOf } from '../../thrown.js'
import type { FromThread, TaskEnd } from './protocol.js'

export class TaskResults {
  #done: number[] = []
  #ends: TaskEnd[] = []
  /** Tasks whose result must reach the main thread, or else is an error. */
  readonly #needed = new Set<number>()
  #flushScheduled = false

  constructor(
    private readonly post: (message: FromThread) => void,
    /** Called for each task that ended. */
    private readonly onEnd: (id: number) => void,
  ) {}

  succeed(id: number, value: unknown, wanted: WantedResult): void {
    if (wanted === 'none' || value === undefined) {
      this.#done.push(id)
      return this.#end(id)
    }
    if (wanted === 'json') {
      try {
        // Checked before cloning: a clone has lost its classes and would look like a plain object.
        checkSerializable(value, 'result')
      } catch (error) {
        return this.fail(id, error)
      }
      this.#needed.add(id)
    }
    this.#ends.push([id, value])
    this.#end(id)
  }

  fail(id: number, thrown: unknown): void {
    this.#ends.push([id, undefined, packError(thrown)])
    this.#end(id)
  }

  #end(id: number): void {
    this.onEnd(id)
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    setImmediate(() => this.flush())
  }

  flush(): void {
    this.#flushScheduled = false
    const done = this.#done
    const ends = this.#ends
    if (done.length + ends.length === 0) return
    this.#done = []
    this.#ends = []
    try {
      this.post({ type: 'done', done, ends })
    } catch {
      // Something can't be cloned: post one by one, so that the others get through.
      this.post({ type: 'done', done, ends: [] })
      for (const end of ends) this.#postAlone(end)
    }
    this.#needed.clear()
  }

  #postAlone(end: TaskEnd): void {
    try {
      this.post({ type: 'done', done: [], ends: [end] })
    } catch {
      const [id, result] = end
      this.post({ type: 'done', done: [], ends: [this.#needed.has(id) ? rewritten(id, result) : [id, undefined]] })
    }
  }
}

/** A Proxy can be JSON but can't be cloned: its JSON value is sent instead. */
function rewritten(id: number, result: unknown): TaskEnd {
  try {
    return [id, JSON.parse(JSON.stringify(result))]
  } catch (error) {
    const why = `The result can't be sent from its thread: ${messageOf(error)}`
    return [id, undefined, packError(new NotSerializable(why, 'result', { cause: toError(error) }))]
  }
}
