/**
 * The main thread's side of one worker thread: what was dispatched to it, what it reports, how it ends. The pool makes
 * the decisions.
 */
import { once } from 'node:events'
import { Worker as NodeThread, type ResourceLimits } from 'node:worker_threads'
import { packError, unpackError } from '../../error-data.js'
import { toError } from '../../failure.js'
import type { Service } from '../../main-thread.js'
import { TerminationGuard } from '../../termination-guard.js'
import { startTimer } from '../../time.js'
import type { Execution } from '../execution.js'
import { hasReporter } from '../run-reports.js'
import { Activity } from './activity.js'
import { batchBody, type PackedEnd, unpackEnds } from './batch-task.js'
import { MissingActors } from './missing-actors.js'
import { answerCall } from './pending-calls.js'
import { type ChainData, type FromThread, packTask, type TaskList, type ThreadData, type ToThread } from './protocol.js'
import type { Run } from './run.js'
import { passOnReports } from './task-reports.js'
import { exitError } from './thread-errors.js'
import { logLingering, stopTimeout } from './thread-exit.js'
import { serveTimeout, ThreadLoading } from './thread-loading.js'
import { threadProgram } from './thread-program.js'
import { type HeapStatistics, usedMegabytes } from './used-memory.js'

/** The events of a thread. */
export interface ThreadEvents {
  /** Runs have ended, and slots are free. */
  onFree(thread: PoolThread): void
  /** It has collected its garbage, and uses this many megabytes. */
  onCollected(thread: PoolThread, used: number): void
  /** It lacks the actor that it should run. The run was removed from it. */
  onMissing(thread: PoolThread, execution: Execution): void
  /**
   * It can't be used any more. `culprit` is the run that caused this, if known (`'ended'` if that run had finished);
   * `error` is the reason.
   */
  onLost(thread: PoolThread, error: Error, culprit: Run | 'ended' | undefined): void
}

export interface ThreadOptions {
  readonly modules: readonly string[]
  /** Those of the modules that lead to `runWorker()`. */
  readonly entries: readonly string[]
  readonly concurrency: number
  readonly resourceLimits: ResourceLimits | undefined
  readonly ownBroker: boolean
  /** What a thread needs to know of the worker's broker when it starts. */
  readonly chain: () => ChainData
  /** The services of this worker, which come before those of the process. */
  readonly services: Readonly<Record<string, Service>>
}

export class PoolThread {
  readonly id: number
  /** The actors that it turned out to lack. */
  readonly missing = new MissingActors()
  readonly runs = new Map<number, Run>()
  readonly activity: Activity
  ready = false
  /** Whether it has finished a message. */
  productive = false
  readonly #thread: NodeThread
  readonly #terminationGuard = new TerminationGuard()
  readonly #events: ThreadEvents
  readonly #freeSlots: number[]
  #outbox: TaskList = []
  #lastId = 0
  #ended = false
  /** Whether it was asked to stop: then its end is no loss. */
  #stopping = false
  #lastError: Error | undefined
  readonly #services: ThreadOptions['services']
  readonly #modules: readonly string[]

  constructor(options: ThreadOptions, events: ThreadEvents) {
    const { modules, entries, concurrency, resourceLimits, ownBroker } = options
    this.#events = events
    this.#services = options.services
    this.#modules = modules
    this.#freeSlots = Array.from({ length: concurrency }, (_, slot) => concurrency - 1 - slot)
    this.activity = Activity.for(concurrency)
    const { script, bundled, required } = threadProgram(modules)
    const loading = { modules, required, entries, serveTimeout: serveTimeout() }
    const workerData: ThreadData = {
      dramatis: true,
      bundled,
      ...loading,
      activity: this.activity.buffer,
      terminationGuard: this.#terminationGuard.buffer,
      ownBroker,
      chain: options.chain(),
    }
    this.#thread = new NodeThread(script, {
      eval: typeof script === 'string',
      workerData,
      resourceLimits,
      argv: process.argv.slice(2),
      name: 'dramatis',
    })
    // Stored, since Node forgets it when the thread ends.
    this.id = this.#thread.threadId
    this.#thread.once('exit', () => this.#terminationGuard.release())
  }

  get free(): number {
    return this.ready && !this.#ended ? this.#freeSlots.length : 0
  }

  /**
   * Resolves once actors can run on the thread.
   * @throws {ModuleLoadError}
   */
  start(): Promise<void> {
    const loading = new ThreadLoading(this.id, this.#modules)
    this.#thread.on('error', (error) => {
      this.#lastError = toError(error)
    })
    this.#thread.on('messageerror', (error) => this.#events.onLost(this, error, undefined))
    this.#thread.on('exit', (code) => {
      if (!this.ready) {
        loading.fail(this.#lastError ?? new Error(`the thread exited with code ${code} while loading`))
      } else if (!this.#ended && !this.#stopping) {
        this.#events.onLost(this, exitError(code, this.#lastError), this.#runThatExited())
      }
      this.#ended = true
    })
    this.#thread.on('message', (message: FromThread) => {
      const isReady = this.ready ? undefined : loading.onMessage(message)
      if (isReady === undefined) this.#onMessage(message)
      else this.ready = isReady
    })
    return loading.done
  }

  dispatch(execution: Execution, dispatchedAt = Date.now(), excusedTime = 0): void {
    const id = ++this.#lastId
    const slot = this.#freeSlots.pop() as number
    this.activity.clear(slot)
    const run: Run = {
      thread: this,
      id,
      execution,
      slot,
      dispatchedAt,
      abortReceived: false,
      excusedTime,
      unresponsiveSince: 0,
      uncertainSince: 0,
    }
    this.runs.set(id, run)
    execution.run = run
    if (this.#outbox.length === 0) setImmediate(() => this.#flush())
    const { members, delivery } = execution
    const body = members ? batchBody(members) : delivery.body
    packTask(this.#outbox, { id, slot, body, wanted: execution.wanted, reports: hasReporter(execution) })
  }

  /** The run of a message, while the message is on a thread. */
  static runOf(execution: Execution): Run | undefined {
    const run = execution.run as Run | undefined
    return run && run.thread.runs.get(run.id) === run ? run : undefined
  }

  abort({ id }: Run, reason: Error): void {
    this.#flush()
    this.#post({ type: 'abort', id, reason: packError(reason) })
  }

  /** For how many milliseconds the function of another message has blocked the thread; 0 if none does. */
  blockedFor(run: Run): number {
    const { blockedBy, blockedSince } = this.activity
    return blockedBy === undefined || blockedBy === run.slot ? 0 : Math.max(1, Date.now() - blockedSince)
  }

  /** How much memory it uses, garbage included, in megabytes; 0 once it has ended. Needs `canWatchMemory`. */
  async usedMemory(): Promise<number> {
    const thread = this.#thread as NodeThread & { getHeapStatistics(): Promise<HeapStatistics> }
    return this.#ended ? 0 : thread.getHeapStatistics().then(usedMegabytes, () => 0)
  }

  /** Requests a garbage collection. */
  collect(): void {
    this.#post({ type: 'collect' })
  }

  /** Terminates it immediately. */
  destroy(): void {
    this.#ended = true
    this.#terminate()
  }

  /** Asks it to end, and terminates it if it doesn't in time. */
  async stop(): Promise<void> {
    if (this.#ended) return
    this.#stopping = true
    this.#post({ type: 'stop' })
    const timer = startTimer(() => this.#terminate(), stopTimeout)
    await once(this.#thread, 'exit').catch(() => {})
    clearTimeout(timer)
    this.#ended = true
  }

  #terminate(): void {
    this.#terminationGuard.close()
    void this.#thread.terminate()
  }

  #post(message: ToThread): void {
    this.#thread.postMessage(message)
  }

  #flush(): void {
    if (this.#outbox.length === 0 || this.#ended) return
    const tasks = this.#outbox
    this.#outbox = []
    this.#post({ type: 'run', tasks })
  }

  #onMessage(message: FromThread): void {
    if (this.#ended) return
    switch (message.type) {
      case 'done':
        this.productive = true
        for (const id of message.done) this.#removeRun(id)?.execution.succeed(undefined)
        for (const [id, result, error] of message.ends) {
          const execution = this.#removeRun(id)?.execution
          if (error) execution?.fail(unpackError(error))
          else execution?.succeed(execution.members ? unpackEnds(result as PackedEnd[]) : result)
        }
        return this.#events.onFree(this)
      case 'reports':
        return passOnReports(message.reports, this.runs)
      case 'missing': {
        const run = this.#removeRun(message.id)
        if (run) this.#events.onMissing(this, run.execution)
        return
      }
      case 'aborted': {
        const run = this.runs.get(message.id)
        if (run) run.abortReceived = true
        return
      }
      case 'crashed':
        return this.#events.onLost(
          this,
          unpackError(message.error),
          message.id === undefined ? undefined : (this.runs.get(message.id) ?? 'ended'),
        )
      case 'lingering':
        return logLingering(this.id, message)
      case 'collected':
        return this.#events.onCollected(this, message.used)
      case 'call':
        return void answerCall(message, this.#services, (answer) => this.#ended || this.#post(answer))
    }
  }

  /** Removes a run that has ended, and frees its slot. */
  #removeRun(id: number): Run | undefined {
    const run = this.runs.get(id)
    if (!run) return undefined
    this.runs.delete(id)
    this.#freeSlots.push(run.slot)
    return run
  }

  /**
   * The only run that ever started on this thread, if there was only one: then it is the cause of whatever happened.
   */
  get onlyRunEver(): Run | undefined {
    let only: Run | undefined
    let startedCount = this.#lastId
    for (const run of this.runs.values()) {
      if (this.hasStarted(run)) only = run
      else startedCount--
    }
    return startedCount === 1 ? only : undefined
  }

  hasStarted(run: Run): boolean {
    return this.activity.startedAt(run.slot) !== 0
  }

  /**
   * The run that called `process.exit()`. Memory can't be attributed: the run that needed more needn't be the one that
   * used it up.
   */
  #runThatExited(): Run | 'ended' | undefined {
    const id = this.activity.exitedFor
    return typeof id === 'number' ? (this.runs.get(id) ?? 'ended') : id
  }
}
