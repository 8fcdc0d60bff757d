/** The options of a worker, and how they are read. */
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ResourceLimits } from 'node:worker_threads'
import { requireFrom } from '../bundled.js'
import { checkBroker, expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { InvalidOption } from '../errors.js'
import { duration } from '../options.js'
import { checkQueueName } from '../queue-names.js'
import { entryScript } from './startup/entry-script.js'

export interface WorkerOptions {
  /**
   * How many threads run actors; 0 runs them on the main event loop.
   * @default the number of cores
   */
  threads?: number | undefined
  /**
   * How many messages each thread runs at once. Use more than one for actors that wait (for a database, the network).
   * @default 8
   */
  concurrency?: number | undefined
  /**
   * The queues to consume.
   * @default the queues of every actor that is declared on the broker
   */
  queues?: readonly string[] | undefined
  /**
   * How many messages of a queue the worker holds at most, running ones included. Of a batch only one counts.
   * @default what it can run at once, plus what it is likely to start within 50 ms
   */
  prefetch?: number | undefined
  /**
   * How long running messages may take to finish when the worker stops.
   * @default '25s'
   */
  shutdownTimeout?: Duration | undefined
  /**
   * What each thread imports to find the actors: URLs (`import.meta.resolve('./actors.js')`), names of packages, or
   * paths relative to the current folder.
   * @default the script the process was started with
   */
  modules?: readonly (string | URL)[] | undefined
  /**
   * How many megabytes each thread may use, for its heap and its buffers. A thread that exceeds it is terminated and
   * replaced; the message that caused it fails with `WorkerThreadLost`. A function that never yields may use up to 512
   * MB more before that is noticed. Below Node 22.16 it is V8's own limit of the heap (see `resourceLimits`), and
   * buffers don't count.
   * @default no limit
   */
  maxMemory?: number | undefined
  /**
   * V8's own limits for each thread; see Node's `worker_threads`. Prefer `maxMemory`: if memory is allocated quickly,
   * Node may abort the whole process at V8's limit (Node 24 often does).
   */
  resourceLimits?: ResourceLimits | undefined
}

/** The names of the options. */
const workerOptionNames = [
  'threads',
  'concurrency',
  'queues',
  'prefetch',
  'shutdownTimeout',
  'modules',
  'maxMemory',
  'resourceLimits',
]

/** Reads a whole number, 1 or more. */
export function positive(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw expected('a whole number from 1 up', value, name)
  return value as number
}

/** The limits that Node accepts for a thread. */
const limitNames = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb']

/**
 * Checks what isn't read one by one: the broker, and the options that are lists.
 * @throws {InvalidOption}
 */
export function checkWorkerOptions(broker: unknown, options: unknown): void {
  checkBroker(broker)
  refuseUnknown(options, workerOptionNames, 'a worker')
  const { queues, modules, resourceLimits } = options as WorkerOptions
  if (queues !== undefined) checkQueues(queues)
  if (modules !== undefined) readModules(modules)
  if (resourceLimits === undefined) return
  refuseUnknown(resourceLimits, limitNames, '"resourceLimits"')
  for (const [name, value] of Object.entries(resourceLimits)) {
    if (value !== undefined && !(typeof value === 'number' && value > 0))
      throw expected('megabytes, a number', value, name)
  }
}

/** The timeout of a call in milliseconds, if it has one. */
export function readTimeout(options: { timeout?: Duration | undefined }, where: string): number | undefined {
  refuseUnknown(options, ['timeout'], where)
  return options.timeout === undefined ? undefined : duration(options.timeout, 'timeout')
}

function checkQueues(queues: unknown): void {
  if (!Array.isArray(queues) || queues.length === 0) {
    const what = "an array of at least one queue, as in ['default'] (without it: those of every declared actor)"
    throw expected(what, queues, 'queues')
  }
  for (const name of queues) checkQueueName(name)
}

/**
 * The modules as threads can import them; without any, the script this process was started with. A path is relative to
 * the current folder; a bare name is a package.
 */
export function readModules(modules: readonly (string | URL)[] | undefined): string[] {
  if (modules === undefined) return [entryScript()]
  if (!Array.isArray(modules) || modules.length === 0)
    throw expected("an array of at least one module, as in ['./actors.js']", modules, 'modules')
  return modules.map((module: unknown) => {
    if (module instanceof URL) return module.href
    if (typeof module !== 'string' || module === '')
      throw new InvalidOption(`Expected a module to be a path or a URL; got ${show(module)}.`, 'modules')
    return /^\.{0,2}[/\\]|^[a-zA-Z]:[\\/]/.test(module) ? pathToFileURL(resolve(module)).href : locatePackage(module)
  })
}

/**
 * A package as threads can import it. They resolve it from the folder of dramatis, from which the application's
 * packages needn't be visible (pnpm, a workspace): then it is resolved from the current folder.
 */
function locatePackage(name: string): string {
  if (/^[a-z]+:/.test(name)) return name
  try {
    import.meta.resolve(name)
    return name
  } catch {
    // Not visible from here; or this is a bundle, in which the folder is unknown.
  }
  try {
    return pathToFileURL(requireFrom(join(process.cwd(), '_')).resolve(name)).href
  } catch {
    return name
  }
}
