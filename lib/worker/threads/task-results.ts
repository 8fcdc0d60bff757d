/**
 * Reports the tasks that ended on a thread: those of one turn of the event loop in one message, with results and errors
 * in a form that can be cloned.
 */
import type { BatchEnd } from '../../batch.js'
import { checkSerializable } from '../../encoder.js'
import { packError } from '../../error-data.js'
import { NotSerializable } from '../../errors.js'
import { toError } from '../../failure.js'
import type { WantedResult } from '../../middleware.js'
import { messageOf } from '../../thrown.js'
import { type PackedEnd, packEnds } from './batch-task.js'
import type { FromThread, TaskEnd } from './protocol.js'

export class TaskResults {
  #done: number[] = []
  #ends: TaskEnd[] = []
  /** Tasks whose result must reach the main thread, or else is an error; of a batch, which of its results must. */
  readonly #needed = new Map<number, true | readonly WantedResult[]>()
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
      this.#needed.set(id, true)
    }
    this.#ends.push([id, value])
    this.#end(id)
  }

  /** A batch has ended: these are the ends of its messages. */
  succeedBatch(id: number, ends: readonly BatchEnd[], wanted: readonly WantedResult[]): void {
    this.#needed.set(id, wanted)
    this.#ends.push([id, packEnds(ends, wanted)])
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
      const needed = this.#needed.get(id)
      const sendable = Array.isArray(needed)
        ? [(result as PackedEnd[]).map((one, index) => clonedOrRewritten(one, needed[index] === 'json'))]
        : rewritten(result, needed !== undefined)
      this.post({ type: 'done', done: [], ends: [[id, ...(sendable as [unknown])]] })
    }
  }
}

function clonedOrRewritten(end: PackedEnd, isNeeded: boolean): PackedEnd {
  try {
    return structuredClone(end)
  } catch {
    return rewritten(end[0], isNeeded)
  }
}

/** A Proxy can be JSON but can't be cloned: its JSON value is sent instead, if its result is needed. */
function rewritten(result: unknown, isNeeded: boolean): PackedEnd {
  if (!isNeeded) return [undefined]
  try {
    return [JSON.parse(JSON.stringify(result))]
  } catch (error) {
    const why = `The result can't be sent from its thread: ${messageOf(error)}`
    return [undefined, packError(new NotSerializable(why, 'result', { cause: toError(error) }))]
  }
}
