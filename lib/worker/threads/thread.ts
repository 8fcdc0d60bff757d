/**
 * The inside of a worker thread: loads the modules, runs actors, reports their ends. It has no broker but the one
 * through which actors send from here, and no plugins but those that its modules added to that broker.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { runBatch } from '../../batch.js'
import { asPromise, peekCurrent, RunningMessage, runActor } from '../../current.js'
import { findActor } from '../../declarations.js'
import { peekBroker, setBroker } from '../../default-broker.js'
import { packError, unpackError } from '../../error-data.js'
import { getLogger } from '../../logger.js'
import { linkMainThread, type MainThread } from '../../main-thread.js'
import { Message } from '../../message.js'
import type { WantedResult } from '../../middleware.js'
import { refuseGenerator } from '../../runnable.js'
import type { Reporter } from '../../status/report.js'
import { linkTerminationGuard } from '../../termination-guard.js'
import { Activity, Heartbeat } from './activity.js'
import { loadModule } from './load-module.js'
import { MainThreadBroker } from './main-thread-broker.js'
import { PendingCalls } from './pending-calls.js'
import {
  type BatchBody,
  type FromThread,
  type ReadyReason,
  type Task,
  type TaskList,
  type ThreadData,
  type ToThread,
  unpackTasks,
} from './protocol.js'
import { Readiness } from './readiness.js'
import { refuseListening } from './refuse-listening.js'
import { TaskReports } from './task-reports.js'
import { TaskResults } from './task-results.js'
import { exitSoon } from './thread-exit.js'
import { ThreadPlugins } from './thread-plugins.js'
import { collectGarbage } from './used-memory.js'

// In a bundle this code is loaded in every thread, including those that aren't ours.
const data: Partial<ThreadData> = (workerData as ThreadData | undefined)?.dramatis ? (workerData as ThreadData) : {}
const {
  modules,
  required,
  entries,
  serveTimeout,
  activity: buffer,
  terminationGuard,
  ownBroker,
  chain,
} = data as ThreadData
const port = parentPort as NonNullable<typeof parentPort>
const activity = new Activity(buffer)
const plugins = new ThreadPlugins(chain)

function post(message: FromThread): void {
  port.postMessage(message)
}

// — Running ——————————————————————————————————————————————————————————————————————————————————————————————

/** How long the thread starts tasks before it lets its event loop turn, in milliseconds. */
const maxTurnTime = 5

const waiting: Task[] = []
/** A message that runs here, and the id of its task. */
class ThreadRun extends RunningMessage {
  constructor(
    readonly id: number,
    message: Message,
    batch?: readonly Message[],
    reporter?: Reporter,
  ) {
    super(message, batch, reporter)
  }
}

const running = new Map<number, ThreadRun>()
const heartbeat = new Heartbeat(activity, () => running.size > 0)
const abortedEarly = new Map<number, Error>()
let pumping = false

function accept(tasks: TaskList): void {
  waiting.push(...unpackTasks(tasks))
  if (!pumping) pump()
}

function pump(): void {
  pumping = true
  const turnEnd = Date.now() + maxTurnTime
  let next = 0
  while (next < waiting.length) {
    const now = Date.now()
    if (now > turnEnd) break
    begin(waiting[next++] as Task, now)
  }
  waiting.splice(0, next)
  pumping = waiting.length > 0
  if (pumping) {
    results.flush()
    setImmediate(pump)
  }
}

function begin({ id, slot, body, wanted, reports: wantsReports }: Task, now: number): void {
  const reporter = wantsReports ? reports.reporterFor(id) : undefined
  heartbeat.begin(now)
  activity.enter(slot, now)
  try {
    const abortReason = abortedEarly.get(id)
    if (abortReason) throw abortReason
    if (isBatch(body)) return beginBatch(id, body, reporter)
    const message = Message.decode(body)
    const actor = findActor(message.actorName, message.queueName)
    if (!actor) return reportMissing(id)
    const current = new ThreadRun(id, message, undefined, reporter)
    running.set(id, current)
    const result = asPromise(runActor(actor, current, plugins.broker))
    if (result instanceof Promise) {
      result.then(
        (value) => fulfill(id, value, wanted, message.actorName),
        (error) => results.fail(id, error),
      )
    } else {
      results.succeed(id, result, wanted)
    }
  } catch (error) {
    results.fail(id, error)
  } finally {
    activity.leave()
  }
}

function isBatch(body: Task['body']): body is BatchBody {
  return typeof body === 'object' && 'bodies' in body
}

function beginBatch(id: number, { bodies, wanted }: BatchBody, reporter: Reporter | undefined): void {
  const messages = bodies.map((body) => Message.decode(body))
  const first = messages[0] as Message
  const actor = findActor(first.actorName, first.queueName)
  if (!actor) return reportMissing(id)
  const current = new ThreadRun(id, first, messages, reporter)
  running.set(id, current)
  runBatch(actor, current, plugins.broker, wanted).then(
    (ends) => results.succeedBatch(id, ends, wanted),
    (error) => results.fail(id, error),
  )
}

/** The end of an actor's promise. */
function fulfill(id: number, value: unknown, wanted: WantedResult, actorName: string): void {
  try {
    refuseGenerator(value, actorName)
  } catch (error) {
    return results.fail(id, error)
  }
  results.succeed(id, value, wanted)
}

/** Reports that this thread lacks an actor. The main thread has it, so the message is fine. */
function reportMissing(id: number): void {
  post({ type: 'missing', id })
  removeTask(id)
}

const reports = new TaskReports(post)

// Ends are reported together, at the end of a turn.
const results = new TaskResults((ends) => reports.postAfter(ends), removeTask)

function removeTask(id: number): void {
  running.delete(id)
  if (abortedEarly.size > 0) abortedEarly.delete(id)
}

// — Interruptions and crashes ————————————————————————————————————————————————————————————————————————————

function abort(id: number, reason: Error): void {
  const current = running.get(id)
  if (current) current.abort(reason)
  else if (waiting.some((task) => task.id === id)) abortedEarly.set(id, reason)
  post({ type: 'aborted', id })
}

function onCrash(error: unknown): void {
  const id = (peekCurrent() as ThreadRun | undefined)?.id
  results.flush()
  reports.postAfter({ type: 'crashed', id, error: packError(error) })
}

/**
 * An unhandled rejection. Node would turn it into an uncaught exception, but not for every value that can be thrown. A
 * listener of a module handles it by itself, and so does Node if a flag says how.
 */
function onUnhandledRejection(reason: unknown): void {
  if (process.listenerCount('unhandledRejection') === 1 && !nodeHandlesRejections) onCrash(reason)
}

const nodeHandlesRejections = [...process.execArgv, process.env.NODE_OPTIONS].some((option) =>
  option?.includes('--unhandled-rejections'),
)

/** Called when the thread ends, and thus within `process.exit()`. */
function onExit(): void {
  const culprit = peekCurrent() as ThreadRun | undefined
  if (culprit) activity.exitFor(running.has(culprit.id) ? culprit.id : 'ended')
}

// — Calls to the main thread —————————————————————————————————————————————————————————————————————————————

let stop: () => void = () => {}
const stopped = new Promise<void>((resolve) => {
  stop = resolve
})
const readiness = new Readiness(port)
const pendingCalls = new PendingCalls(post, (by) => readiness.countOpenCalls(by))

const main: MainThread = {
  call: (service, method, args) => pendingCalls.call(service, method, args),
  serve() {
    readiness.serve()
    return stopped
  },
  relays: (broker) => plugins.relays(broker),
}

function onMessage(message: ToThread): void {
  switch (message.type) {
    case 'run':
      return accept(message.tasks)
    case 'abort':
      return abort(message.id, unpackError(message.reason))
    case 'answer':
      return pendingCalls.answer(message)
    case 'collect':
      return post({ type: 'collected', used: collectGarbage() })
    case 'stop':
      return void close()
  }
}

/** Calls its plugins, lets `runWorker()` return, waits for pending sends, and lets the thread end by itself. */
async function close(): Promise<void> {
  await plugins.stop()
  stop()
  try {
    await peekBroker()?.close()
  } catch (error) {
    getLogger().warn({ err: error }, 'The broker of a worker thread did not close cleanly')
  }
  exitSoon(port, readyReason === 'served')
}

// — Loading ——————————————————————————————————————————————————————————————————————————————————————————————

let readyReason: ReadyReason = 'loaded'

async function load(): Promise<void> {
  for (const module of modules) {
    try {
      const loading = (): Promise<unknown> => loadModule(module, required.includes(module))
      await readiness.load(loading, (error) => post({ type: 'crashed', id: undefined, error: packError(error) }))
    } catch (error) {
      return post({ type: 'failed', module, error: packError(error) })
    }
    if (!entries.includes(module)) continue
    post({ type: 'loaded' })
    readyReason = await readiness.waitForRunWorker(serveTimeout)
  }
  try {
    await plugins.start()
  } catch (error) {
    return post({ type: 'failed', module: undefined, error: packError(error) })
  }
  post({ type: 'ready', reason: readyReason })
}

/** Makes this thread one of a worker's pool. */
export function serveThread(): void {
  process.on('uncaughtException', onCrash)
  process.on('unhandledRejection', onUnhandledRejection)
  process.on('exit', onExit)
  linkMainThread(main)
  linkTerminationGuard(terminationGuard)
  port.on('message', onMessage)
  if (!ownBroker) setBroker(new MainThreadBroker())
  if (entries.length > 0) refuseListening()
  void load()
}

/** Does that in a bundle, where nothing else would: the first copy of our code that the thread loads serves it. */
export function serveBundledThread(): void {
  if (!data.bundled) return
  Object.assign(data, { bundled: false })
  serveThread()
}
