/**
 * Which of the modules that threads import lead to `runWorker()`. In un-awaited code (`main()`, Nest's `bootstrap()`) a
 * module is loaded long before the application is: such a thread is ready when it gets as far as the main thread did.
 */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readModules } from '../worker-options.js'

/** How deep below `runWorker()` a module of the user's may lie, in stack frames. */
const maxFrames = 100

/**
 * Those of `modules` through which the main thread came here: the script the process was started with, and the ones
 * whose functions are being run. To be asked from within the call of `runWorker()`.
 */
export function entryModules(modules: readonly string[], given: readonly unknown[] | undefined): string[] {
  if (given === undefined) return [...modules]
  const callers = callingFiles()
  const script = startScript()
  return modules.filter((module) => module === script || callers.has(module))
}

function startScript(): string | undefined {
  try {
    return readModules(undefined)[0]
  } catch {
    return undefined // It has none, and needs none.
  }
}

/** The URLs of the files whose functions are on the stack, those that are being awaited included. */
function callingFiles(): Set<string> {
  const { stackTraceLimit, prepareStackTrace } = Error
  const files = new Set<string>()
  try {
    Error.stackTraceLimit = maxFrames
    Error.prepareStackTrace = (_, sites) => sites
    const sites = new Error().stack as unknown as NodeJS.CallSite[]
    for (const site of sites) {
      const name = site.getFileName()
      if (name?.startsWith('file:')) files.add(withoutQuery(name))
      else if (name && !name.startsWith('node:')) files.add(pathToFileURL(name).href)
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
  return files
}

/** Loaders mark what they loaded in the query. */
function withoutQuery(url: string): string {
  return pathToFileURL(fileURLToPath(url)).href
}
