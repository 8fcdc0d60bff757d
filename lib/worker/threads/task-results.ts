/**
 * What a thread reports of the messages that ended on it: all of one turn of the event loop in one message, with results
 * and errors in a form that can leave the thread.
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
  /** Whose result is an error if it can't be carried. */
  readonly #needed = new Set<number>()
  #flushScheduled = false

  constructor(
    private readonly post: (message: FromThread) => void,
    /** Called for each message that ended. */
    private readonly leave: (id: number) => void,
  ) {}

  succeed(id: number, value: unknown, wanted: WantedResult): void {
    if (wanted === 'none' || value === undefined) {
      this.#done.push(id)
      return this.#end(id)
    }
    if (wanted === 'json') {
      try {
        // Here, where it is whole: a clone has lost its classes, and would pass for plain.
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
    this.leave(id)
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
      // Something in there can't be cloned; find out what, and let the others through.
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

/** A Proxy can be JSON, but can't be cloned: what it shows goes in its place. */
function rewritten(id: number, result: unknown): TaskEnd {
  try {
    return [id, JSON.parse(JSON.stringify(result))]
  } catch (error) {
    const why = `The result can't leave its thread: ${messageOf(error)}`
    return [id, undefined, packError(new NotSerializable(why, 'result', { cause: toError(error) }))]
  }
}
