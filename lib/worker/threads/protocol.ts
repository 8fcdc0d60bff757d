/**
 * The messages between the main thread and a worker thread: one each way per turn of the event loop, with everything
 * that is ready. A few numbers are in shared memory, for what must be known while a thread is busy.
 */
import type { Body } from '../../encoder.js'
import type { ErrorData } from '../../error-data.js'
import type { WantedResult } from '../../middleware.js'
import type { LogLine, Progress } from '../../status/report.js'

/** A message or a batch to run: its id, its slot, its body, and what is needed of its result. */
export interface Task {
  readonly id: number
  readonly slot: number
  readonly body: Body | BatchBody
  readonly wanted: WantedResult
  /** Whether somebody receives what its actor reports. */
  readonly reports: boolean
}

/** The messages of a batch: their bodies, and what is needed of their results. */
export interface BatchBody {
  readonly bodies: readonly Body[]
  readonly wanted: readonly WantedResult[]
}

/** Tasks on their way to a thread, in one flat list: fewer objects are quicker to clone. */
export type TaskList = (number | Body | BatchBody)[]

const wantedResults: readonly WantedResult[] = ['none', 'any', 'json']

export function packTask(list: TaskList, { id, slot, body, wanted, reports }: Task): void {
  list.push(id, slot, body, wantedResults.indexOf(wanted) + (reports ? wantedResults.length : 0))
}

export function* unpackTasks(list: TaskList): Generator<Task> {
  for (let at = 0; at < list.length; at += 4) {
    const [id, slot, body, flags] = [list[at], list[at + 1], list[at + 2], list[at + 3] as number]
    yield {
      id: id as number,
      slot: slot as number,
      body: body as Body | BatchBody,
      wanted: wantedResults[flags % wantedResults.length] as WantedResult,
      reports: flags >= wantedResults.length,
    }
  }
}

/** The end of a task: its id, and its result or, in the third place, an error. The result of a batch is a list of ends. */
export type TaskEnd = readonly [id: number, result: unknown, error?: ErrorData]

/** What the actor of a task has reported: its last progress, if there is one, and lines of its log. */
export type TaskReport = readonly [id: number, progress: Progress | undefined, lines: readonly LogLine[]]

export type ToThread =
  | { readonly type: 'run'; readonly tasks: TaskList }
  | { readonly type: 'abort'; readonly id: number; readonly reason: ErrorData }
  | { readonly type: 'answer'; readonly id: number; readonly result?: unknown; readonly error?: ErrorData }
  /** Collect garbage, and report the memory that remains in use. */
  | { readonly type: 'collect' }
  | { readonly type: 'stop' }

/**
 * Why a thread is ready: its modules are loaded, and none leads to `runWorker()`; its script called `runWorker()`;
 * nothing is left in it that could call it; or it didn't call it in the time it had.
 */
export type ReadyReason = 'loaded' | 'served' | 'idle' | 'late'

export type FromThread =
  /** Every module is loaded. The thread waits for those that lead to `runWorker()`. */
  | { readonly type: 'loaded' }
  /** Actors can run here, for this reason. Or a module could not be loaded. */
  | { readonly type: 'ready'; readonly reason: ReadyReason }
  | { readonly type: 'failed'; readonly module: string | undefined; readonly error: ErrorData }
  /** Tasks that ended: those that succeeded without a result, and the others. */
  | { readonly type: 'done'; readonly done: readonly number[]; readonly ends: readonly TaskEnd[] }
  /** What actors have reported. It precedes the ends of their tasks. */
  | { readonly type: 'reports'; readonly reports: readonly TaskReport[] }
  /** The actor of a task isn't declared in this thread. */
  | { readonly type: 'missing'; readonly id: number }
  /** The memory in use after a garbage collection, in megabytes. */
  | { readonly type: 'collected'; readonly used: number }
  /** The signal of a task was aborted: the thread isn't blocked. */
  | { readonly type: 'aborted'; readonly id: number }
  /** Something threw outside of an actor's promise, caused by that task if known. The thread can't be used any more. */
  | { readonly type: 'crashed'; readonly id: number | undefined; readonly error: ErrorData }
  /**
   * The thread was asked to stop but doesn't end by itself: these resources keep its event loop alive. It exits now.
   */
  | { readonly type: 'lingering'; readonly after: number; readonly resources: readonly string[] }
  /** Calls a service of the main thread. */
  | {
      readonly type: 'call'
      readonly id: number
      readonly service: string
      readonly method: string
      readonly args: readonly unknown[]
    }

/** The `workerData` of a thread. */
export interface ThreadData {
  readonly dramatis: true
  /** Whether it runs the application's own bundle, which contains this code. */
  readonly bundled: boolean
  /** What it imports to find the actors, in order: file URLs or package names. */
  readonly modules: readonly string[]
  /** Those of them that the main thread loaded with `require()`. */
  readonly required: readonly string[]
  /**
   * Those of them through which the main thread reached `runWorker()`: the thread is ready when it reaches it as well.
   */
  readonly entries: readonly string[]
  /** How long it waits for these, in milliseconds. */
  readonly serveTimeout: number
  readonly activity: SharedArrayBuffer
  /** See termination-guard.ts. */
  readonly terminationGuard: SharedArrayBuffer
  /**
   * Whether the worker's broker is the default one of the environment; if not, the thread sends through the main
   * thread.
   */
  readonly ownBroker: boolean
  readonly chain: ChainData
}

/** What a thread needs to know of the worker's broker and its plugins. */
export interface ChainData {
  /** The actors of the worker. The thread finds its own broker through them. */
  readonly actors: readonly (readonly [actorName: string, queueName: string])[]
  /** The plugins with hooks of sending. */
  readonly senders: readonly string[]
}
