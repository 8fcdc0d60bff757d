/**
 * Runs actors on worker threads: distributes messages, replaces lost threads, and finds the message at fault.
 *
 * The runs on a lost thread end in one of four ways. The culprit fails with the reason. Runs that had been interrupted
 * before fail with their interruption. The others return to the queue, and no attempt is counted. If the culprit is
 * unknown, all runs that had started are suspects and run again in isolation, which finds it.
 */
import { type Interrupt, TimeLimitExceeded, WorkerThreadLost } from '../../errors.js'
import { loggable, toError } from '../../failure.js'
import { getLogger } from '../../logger.js'
import { type Execution, GivenBack, type Runner } from '../execution.js'
import { Isolation } from './isolation.js'
import { finalInterruption, isSuspect, maxAttempts, UnproductiveThreads } from './lost-threads.js'
import { canWatchMemory, MemoryWatch } from './memory-limit.js'
import { PoolThread, type ThreadEvents, type ThreadOptions } from './pool-thread.js'
import type { Run } from './run.js'
import { toThreadLost } from './thread-errors.js'
import { isTransient } from './thread-loading.js'

export interface ThreadPoolOptions extends ThreadOptions {
  readonly threads: number
  /** How much memory each thread may use, in megabytes. */
  readonly maxMemory: number | undefined
  /** Called when more messages may be started. */
  readonly onFree: () => void
  /** Called when a thread is ready, and before it is stopped. */
  readonly onThreadReady: (threadId: number) => unknown
  readonly onThreadStop: (threadId: number) => unknown
  /** Called when a lost thread could not be replaced because the modules don't load any more. */
  readonly onFatal: (error: Error) => void
}

/** How often a blocked thread is checked for which message blocks it, in milliseconds. */
const recheckInterval = 50

interface Waiting {
  readonly execution: Execution
  readonly since: number
  /** Milliseconds of waiting that were already added to its time limit. */
  excusedTime: number
}

export class ThreadPool implements Runner, ThreadEvents {
  readonly checksResults = true
  readonly #options: ThreadPoolOptions
  #threads: PoolThread[] = []
  /** Messages that found no free slot because a thread had just been lost. */
  readonly #waiting: Waiting[] = []
  readonly #unproductive = new UnproductiveThreads()
  readonly #stop = new AbortController()
  readonly #isolation: Isolation
  readonly #memory: MemoryWatch | undefined

  constructor(options: ThreadPoolOptions) {
    this.#options = options
    this.#isolation = new Isolation({
      maxThreads: Math.max(2, Math.ceil(options.threads / 2)),
      makeThread: (concurrency) => new PoolThread({ ...options, concurrency }, this),
      onThreadReady: options.onThreadReady,
      onThreadStop: options.onThreadStop,
      onFatal: (error) => options.onFatal(toError(error)),
      onFree: options.onFree,
    })
    if (options.maxMemory === undefined || !canWatchMemory) return
    this.#memory = new MemoryWatch({
      limit: options.maxMemory,
      threads: () => [...this.#threads, ...this.#isolation.threads],
      onExceeded: (thread, error) => this.onLost(thread, error, undefined),
    })
  }

  get slots(): number {
    let slots = this.#isolation.size
    for (const thread of this.#threads) slots += thread.ready ? this.#options.concurrency : 0
    return slots
  }

  async start(): Promise<void> {
    try {
      await Promise.all(Array.from({ length: this.#options.threads }, () => this.#spawn()))
    } catch (error) {
      for (const thread of this.#threads) thread.destroy()
      throw error
    }
  }

  async #spawn(): Promise<void> {
    const thread = new PoolThread(this.#options, this)
    this.#threads.push(thread)
    try {
      await thread.start()
    } catch (error) {
      this.#threads = this.#threads.filter((one) => one !== thread)
      thread.destroy()
      throw error
    }
    if (this.#stop.signal.aborted) return
    await this.#options.onThreadReady(thread.id)
    this.onFree(thread)
  }

  run(execution: Execution): void {
    const thread = this.#leastBusy(execution)
    if (thread) thread.dispatch(execution)
    else if (this.#stop.signal.aborted) execution.fail(new GivenBack('the worker stops'))
    else if (this.#isMissingEverywhere(execution)) execution.fail(this.#missingActor(execution))
    else this.#waiting.push({ execution, since: Date.now(), excusedTime: 0 })
  }

  /** The thread with the most free slots, of those that aren't known to lack the actor. */
  #leastBusy({ actor }: Execution): PoolThread | undefined {
    let best: PoolThread | undefined
    for (const thread of this.#threads) {
      if (thread.free > (best?.free ?? 0) && !thread.missing.has(actor.actorName)) best = thread
    }
    return best
  }

  #isMissingEverywhere({ actor }: Execution): boolean {
    const ready = this.#threads.filter((thread) => thread.ready)
    return ready.length > 0 && ready.every((thread) => thread.missing.has(actor.actorName))
  }

  /** The message returns to its queue, uncounted, until one of the threads is tried again. */
  #missingActor({ actor }: Execution): GivenBack {
    const ready = this.#threads.filter((thread) => thread.ready)
    const soonest = Math.min(...ready.map((thread) => thread.missing.remaining(actor.actorName)))
    // Spread, so that they don't all return at the same moment.
    return new GivenBack("the threads don't have its actor", { delay: soonest + 1000 * Math.random() })
  }

  onFree(thread: PoolThread): void {
    this.#isolation.onFree(thread)
    while (this.#waiting.length > 0) {
      const { execution, since, excusedTime } = this.#waiting[0] as Waiting
      const thread = this.#leastBusy(execution)
      if (!thread && !this.#isMissingEverywhere(execution)) return
      this.#waiting.shift()
      if (thread) thread.dispatch(execution, since, excusedTime)
      else execution.fail(this.#missingActor(execution))
    }
    this.#options.onFree()
  }

  onCollected(thread: PoolThread, used: number): void {
    this.#memory?.onCollected(thread, used)
  }

  onMissing(thread: PoolThread, execution: Execution): void {
    const { actorName } = execution.actor
    if (thread.missing.add(actorName)) {
      const text = `A worker thread doesn't have the actor "${actorName}", which the main thread has: its messages are requeued. Import the module that declares it in a module that threads import, before the call of runWorker()`
      getLogger().error({ threadId: thread.id, actorName, modules: this.#options.modules }, text)
    }
    // Another thread may have it.
    this.run(execution)
  }

  abort(execution: Execution, reason: Interrupt): void {
    const run = PoolThread.runOf(execution)
    if (run) return run.thread.abort(run, reason)
    if (this.#isolation.remove(execution)) return execution.fail(reason)
    const index = this.#waiting.findIndex((waiting) => waiting.execution === execution)
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.execution.fail(reason)
  }

  kill(execution: Execution, reason: Interrupt): number {
    const run = PoolThread.runOf(execution)
    if (!run) return 0
    const { thread } = run
    const { activity } = thread
    // The function that is running now is what blocks the thread, until it is aborted or finished.
    if (thread.blockedFor(run) > 0) return recheckInterval
    const isUnresponsive = activity.unresponsiveSince !== 0
    // Its event loop turns, so it will receive the abort.
    if (!run.abortReceived && !isUnresponsive) return recheckInterval
    const isUncertain = isUnresponsive && activity.blockedBy !== run.slot && thread.onlyRunEver !== run
    this.#lose(thread, isUncertain ? undefined : run, reason)
    return 0
  }

  blockedTime(execution: Execution, span: number, grace: number): number | undefined {
    const run = PoolThread.runOf(execution)
    if (!run) return this.#waitingTime(execution)
    const { thread } = run
    const begun = thread.activity.startedAt(run.slot)
    const now = Date.now()
    const uncertainty = this.#uncertainty(run, begun, now)
    if (uncertainty > grace) return this.#replaceUnresponsive(thread, span)
    if (uncertainty > 0) return recheckInterval
    // Time before it started, plus time since another message began to block the thread.
    const lost =
      (begun === 0 ? now : begun) - run.dispatchedAt + Math.min(thread.blockedFor(run), begun === 0 ? 0 : now - begun)
    const more = Math.min(lost - run.excusedTime, span)
    run.excusedTime += Math.max(0, more)
    const unresponsive = run.unresponsiveSince === 0 ? 0 : Math.min(now - Math.max(run.unresponsiveSince, begun), span)
    run.unresponsiveSince = 0
    run.uncertainSince = 0
    return Math.max(more, unresponsive, 0)
  }

  /**
   * For how many milliseconds the thread has been unresponsive with an unknown cause; 0 if it responds, or if the cause
   * is known.
   */
  #uncertainty(run: Run, begun: number, now: number): number {
    const { activity, onlyRunEver } = run.thread
    const { unresponsiveSince, blockedBy } = activity
    if (begun === 0 || unresponsiveSince === 0 || blockedBy !== undefined || onlyRunEver === run) return 0
    run.unresponsiveSince ||= unresponsiveSince
    run.uncertainSince ||= now
    return Math.max(1, now - run.uncertainSince)
  }

  #replaceUnresponsive(thread: PoolThread, limit: number): undefined {
    const text = 'The event loop of a worker thread was blocked for longer than a time limit; the thread is replaced'
    getLogger().warn({ threadId: thread.id, running: thread.runs.size }, text)
    this.#lose(thread, undefined, new TimeLimitExceeded(limit))
  }

  /** How long a message has waited for a thread, as far as that isn't in its time limit yet. */
  #waitingTime(execution: Execution): number {
    const waiting = this.#waiting.find((one) => one.execution === execution)
    if (!waiting) return 0
    const more = Date.now() - waiting.since - waiting.excusedTime
    waiting.excusedTime += more
    return Math.max(1, more)
  }

  onLost(thread: PoolThread, error: Error, culprit: Run | 'ended' | undefined): void {
    if (!this.#threads.includes(thread) && !this.#isolation.has(thread)) return
    const reason = error instanceof WorkerThreadLost || culprit ? error : toThreadLost(error)
    const fields = { err: reason, threadId: thread.id, running: thread.runs.size }
    getLogger().error(fields, 'A worker thread was lost and is replaced')
    this.#lose(thread, culprit ?? thread.onlyRunEver, reason)
  }

  #lose(thread: PoolThread, culprit: Run | 'ended' | undefined, reason: Error): void {
    const isolated = !this.#threads.includes(thread)
    const runs = [...thread.runs.values()]
    const isUncertain = culprit === undefined && !this.#stop.signal.aborted
    const suspects = isUncertain ? runs.filter(isSuspect).map(({ execution }) => execution) : []
    this.#threads = this.#threads.filter((one) => one !== thread)
    thread.runs.clear()
    thread.destroy()
    if (isolated) this.#isolation.onLost(thread)
    else void this.#replace(thread.productive || culprit !== undefined)
    for (const run of runs) {
      const { execution } = run
      const interruption = finalInterruption(run)
      if (run === culprit) execution.fail(reason)
      else if (interruption) execution.fail(interruption)
      else if (!suspects.includes(execution))
        execution.fail(new GivenBack('its thread was terminated for another message'))
    }
    if (suspects.length > 0) this.#isolate(thread, suspects, reason)
  }

  #isolate(thread: PoolThread, suspects: readonly Execution[], reason: Error): void {
    const actors = [...new Set(suspects.map(({ actor }) => actor.actorName))]
    const text = `It is unknown which message caused this (${reason.message}): those that had started run again in isolation, with no attempt counted`
    getLogger().warn({ threadId: thread.id, messages: suspects.length, actors }, text)
    this.#isolation.add(suspects)
  }

  /** Replaces a lost thread. If threads keep failing, pauses before the next attempt. */
  async #replace(wasProductive: boolean): Promise<void> {
    const { signal } = this.#stop
    for (let attempts = 1, immediately = wasProductive; ; attempts++, immediately = false) {
      try {
        await this.#unproductive.pauseBeforeReplacement(immediately, signal)
        return await this.#spawn()
      } catch (error) {
        if (signal.aborted) return
        if (!isTransient(error) || attempts === maxAttempts) return this.#options.onFatal(toError(error))
        getLogger().warn({ err: loggable(error) }, 'A worker thread could not be replaced; trying again')
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#memory?.stop()
    const threads = this.#threads
    this.#threads = []
    for (const { execution } of this.#waiting.splice(0)) execution.fail(new GivenBack('the worker stops'))
    await Promise.all(
      [...threads, ...this.#isolation.stop()].map(async (thread) => {
        await this.#options.onThreadStop(thread.id)
        const busy = thread.runs.size > 0
        for (const { execution } of [...thread.runs.values()]) execution.fail(new GivenBack('the worker stops'))
        thread.runs.clear()
        if (busy || !thread.ready) thread.destroy()
        else await thread.stop()
      }),
    )
    await this.#isolation.threadsStopped()
  }
}
