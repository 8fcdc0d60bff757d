/**
 * Finds the message that is responsible for a lost thread when that is unknown. If a thread's event loop was blocked
 * after some `await`, or if it ran out of memory, any message on it may be the cause. So these suspects run again, each
 * alone on a new thread: a message that loses a thread on which nothing else has run is the cause.
 *
 * The worker keeps holding them, since another worker wouldn't know that they are suspects. But they don't count as
 * held, and occupy no slot of the pool.
 */
import { loggable } from '../../failure.js'
import { getLogger } from '../../logger.js'
import { type Execution, GivenBack } from '../execution.js'
import { reporterOf } from '../run-reports.js'
import { maxAttempts, pauseAfter } from './lost-threads.js'
import { PoolThread } from './pool-thread.js'
import { isTransient } from './thread-loading.js'

/** Up to this many suspects run alone. More are split into this many groups first. */
const initialGroups = 8

export interface IsolationOptions {
  /** How many isolation threads there may be at once. */
  readonly maxThreads: number
  /** Creates a thread with this many slots. */
  readonly makeThread: (concurrency: number) => PoolThread
  /** Called when a thread is ready, and before it is stopped. */
  readonly onThreadReady: (threadId: number) => unknown
  readonly onThreadStop: (threadId: number) => unknown
  /** Called when a thread could not be started because the modules don't load any more. */
  readonly onFatal: (error: unknown) => void
  /** Called when other messages may be started. */
  readonly onFree: () => void
}

interface Group {
  readonly executions: Set<Execution>
  thread?: PoolThread
}

export class Isolation {
  readonly #options: IsolationOptions
  #groups: Group[] = []
  #stopped = false
  /** Threads that are no longer needed and are being stopped. */
  readonly #stoppingThreads = new Set<Promise<void>>()

  constructor(options: IsolationOptions) {
    this.#options = options
  }

  /** How many messages are isolated, running or waiting. */
  get size(): number {
    let size = 0
    for (const { executions } of this.#groups) size += executions.size
    return size
  }

  get threads(): PoolThread[] {
    return this.#groups.flatMap(({ thread }) => thread ?? [])
  }

  has(thread: PoolThread): boolean {
    return this.#groups.some((group) => group.thread === thread)
  }

  /** Runs the suspects again, separated from each other. */
  add(suspects: readonly Execution[]): void {
    for (const execution of suspects) {
      execution.suspend()
      reporterOf(execution)?.onRestart()
      execution.settlements.exclude(1)
    }
    const groupSize = Math.ceil(suspects.length / initialGroups)
    for (let at = 0; at < suspects.length; at += groupSize) {
      this.#groups.push({ executions: new Set(suspects.slice(at, at + groupSize)) })
    }
    this.#next()
  }

  /** Removes a message that waits for its thread. Returns whether it did. */
  remove(execution: Execution): boolean {
    const group = this.#groups.find(({ executions }) => executions.has(execution))
    if (!group || PoolThread.runOf(execution)) return false
    this.#removeFrom(group, execution)
    return true
  }

  /** Some messages on that thread have finished. When all have, the thread is stopped. */
  onFree(thread: PoolThread): void {
    const group = this.#groups.find((one) => one.thread === thread)
    if (!group) return
    for (const execution of group.executions) if (!PoolThread.runOf(execution)) this.#removeFrom(group, execution)
    if (group.executions.size > 0) return
    this.#end(group)
    const stopping = this.#stopThread(thread)
    this.#stoppingThreads.add(stopping)
    void stopping.finally(() => this.#stoppingThreads.delete(stopping))
  }

  /** The thread is lost, and its messages have been dealt with. */
  onLost(thread: PoolThread): void {
    const group = this.#groups.find((one) => one.thread === thread)
    if (!group) return
    for (const execution of group.executions) this.#removeFrom(group, execution)
    this.#end(group)
  }

  /** Resolves when the threads that are being stopped have ended. */
  async threadsStopped(): Promise<void> {
    await Promise.all(this.#stoppingThreads)
  }

  /** Requeues all messages. Returns the threads, which the caller must stop. */
  stop(): PoolThread[] {
    this.#stopped = true
    const { threads } = this
    const groups = this.#groups
    this.#groups = []
    for (const { executions } of groups) {
      for (const execution of executions) {
        execution.settlements.exclude(-1)
        if (!PoolThread.runOf(execution)) execution.fail(new GivenBack('the worker stops'))
      }
    }
    return threads
  }

  #removeFrom({ executions }: Group, execution: Execution): void {
    if (executions.delete(execution)) execution.settlements.exclude(-1)
  }

  #end(group: Group): void {
    this.#groups = this.#groups.filter((one) => one !== group)
    this.#next()
    this.#options.onFree()
  }

  #next(): void {
    let room = this.#options.maxThreads - this.#groups.filter(({ thread }) => thread).length
    for (const group of this.#groups) {
      if (room <= 0 || this.#stopped) return
      if (group.thread || group.executions.size === 0) continue
      room--
      void this.#run(group)
    }
    this.#groups = this.#groups.filter(({ thread, executions }) => thread || executions.size > 0)
  }

  async #run(group: Group, attempt = 1): Promise<void> {
    const thread = this.#options.makeThread(group.executions.size)
    group.thread = thread
    try {
      await thread.start()
      if (this.#stopped) return
      await this.#options.onThreadReady(thread.id)
    } catch (error) {
      thread.destroy()
      return this.#failed(group, thread, error, attempt)
    }
    if (this.#stopped || !this.#groups.includes(group)) return
    for (const execution of group.executions) {
      execution.resume()
      thread.dispatch(execution)
    }
    // All of them may have been interrupted in the meantime.
    this.onFree(thread)
  }

  /** The script failed before the thread was ready. The next attempt may succeed. */
  async #failed(group: Group, thread: PoolThread, error: unknown, attempt: number): Promise<void> {
    if (this.#stopped) return
    if (isTransient(error) && attempt < maxAttempts) {
      getLogger().warn({ err: loggable(error) }, 'An isolation thread could not be started; trying again')
      await pauseAfter(attempt)
      if (this.#stopped) return
      // All of them may have been interrupted in the meantime.
      return group.executions.size > 0 ? this.#run(group, attempt + 1) : this.#end(group)
    }
    for (const execution of group.executions) execution.fail(new GivenBack('no thread could be started for it'))
    this.onLost(thread)
    this.#options.onFatal(error)
  }

  async #stopThread(thread: PoolThread): Promise<void> {
    await this.#options.onThreadStop(thread.id)
    await thread.stop().catch((error) => getLogger().warn({ err: error }, 'A worker thread did not end cleanly'))
  }
}
