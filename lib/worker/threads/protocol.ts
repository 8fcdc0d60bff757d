/**
 * What the main thread and a worker thread say to each other: one message each way a turn of the event loop, with
 * everything that is ready, and a few numbers in shared memory for what must be known while a thread is too busy to talk.
 */
import type { Body } from '../../encoder.js'
import type { ErrorData } from '../../error-data.js'
import type { WantedResult } from '../../middleware.js'

/** One message to run: its number, the slot it takes, its body, and what is wanted of its result. */
export interface Task {
  readonly id: number
  readonly slot: number
  readonly body: Body
  readonly wanted: WantedResult
}

/** Tasks on their way to a thread, one after the other in one flat list: the fewer objects are cloned, the better. */
export type TaskList = (number | Body)[]

const wants: readonly WantedResult[] = ['none', 'any', 'json']

export function packTask(list: TaskList, id: number, slot: number, body: Body, wanted: WantedResult): void {
  list.push(id, slot, body, wants.indexOf(wanted))
}

export function* unpackTasks(list: TaskList): Generator<Task> {
  for (let at = 0; at < list.length; at += 4) {
    const [id, slot, body, wanted] = [list[at], list[at + 1], list[at + 2], list[at + 3]]
    yield {
      id: id as number,
      slot: slot as number,
      body: body as Body,
      wanted: wants[wanted as number] as WantedResult,
    }
  }
}

/** How one ended: with a result or, in the third place, an error. */
export type TaskEnd = readonly [id: number, result: unknown, error?: ErrorData]

export type ToThread =
  | { readonly type: 'run'; readonly tasks: TaskList }
  | { readonly type: 'abort'; readonly id: number; readonly reason: ErrorData }
  | { readonly type: 'answer'; readonly id: number; readonly result?: unknown; readonly error?: ErrorData }
  /** Collect your garbage, and say what is left. */
  | { readonly type: 'collect' }
  | { readonly type: 'stop' }

/**
 * Why a thread takes itself for ready: its modules are loaded, and no more is expected of them; its script called
 * `runWorker()`; it has nothing left to do and so never will; or it didn't in all the time it was given.
 */
export type ReadyReason = 'loaded' | 'served' | 'idle' | 'late'

export type FromThread =
  /** Every module is loaded, and those that call `runWorker()` are waited for to do so. */
  | { readonly type: 'loaded' }
  /** Actors can run here; why that is so, if no module called `runWorker()`. Or a module could not be loaded. */
  | { readonly type: 'ready'; readonly reason: ReadyReason }
  | { readonly type: 'failed'; readonly module: string | undefined; readonly error: ErrorData }
  /** What ended: well and with nothing to show for it, most of them, or otherwise. */
  | { readonly type: 'done'; readonly done: readonly number[]; readonly ends: readonly TaskEnd[] }
  /** The actor of a task isn't declared in this thread. */
  | { readonly type: 'missing'; readonly id: number }
  /** What is left once the garbage is collected, in megabytes. */
  | { readonly type: 'collected'; readonly used: number }
  /** The signal of a task was aborted: the thread isn't blocked. */
  | { readonly type: 'aborted'; readonly id: number }
  /** Something threw outside of any actor's promise, on account of that task if it is known; the thread is unfit. */
  | { readonly type: 'crashed'; readonly id: number | undefined; readonly error: ErrorData }
  /** Told to stop it did, but doesn't end by itself: these keep its event loop alive. It ends all the same now. */
  | { readonly type: 'lingering'; readonly after: number; readonly resources: readonly string[] }
  /** The thread wants something that only the main thread has. */
  | {
      readonly type: 'call'
      readonly id: number
      readonly service: string
      readonly method: string
      readonly args: readonly unknown[]
    }

/** What a thread is started with. */
export interface ThreadData {
  readonly dramatis: true
  /** It is started with the application's own code, in which ours is bundled. */
  readonly bundled: boolean
  /** What it imports to find the actors: file URLs or package names, in order. */
  readonly modules: readonly string[]
  /** Those of them that the main thread has loaded with `require()`. */
  readonly required: readonly string[]
  /** Those of them through which the main thread came to `runWorker()`: the thread is ready when it gets there, too. */
  readonly entries: readonly string[]
  /** For how many milliseconds they are waited for at most. */
  readonly serveTimeout: number
  readonly activity: SharedArrayBuffer
  /** See termination-guard.ts. */
  readonly guard: SharedArrayBuffer
  /** Whether the default broker, as the environment names it, is the worker's; if not, the thread sends through the main one. */
  readonly ownBroker: boolean
  readonly chain: ChainData
}

/** What a thread has to know of the worker's broker and its plugins. */
export interface ChainData {
  /** Its actors, by which the thread finds the broker that stands for it: theirs. */
  readonly actors: readonly (readonly [actorName: string, queueName: string])[]
  /** The plugins that have a say in sending. */
  readonly senders: readonly string[]
}
