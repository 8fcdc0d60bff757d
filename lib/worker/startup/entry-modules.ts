/**
 * Which of the modules that threads import lead to `runWorker()`. In un-awaited code (`main()`, Nest's `bootstrap()`) a
 * module is loaded long before the application is. A thread with such a module is ready when it reaches `runWorker()`
 * as well.
 */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readModules } from '../worker-options.js'

/** How many stack frames below `runWorker()` the module of the user may be. */
const maxFrames = 100

/**
 * Those of `modules` through which the main thread reached this call: the script the process was started with, and
 * modules with functions on the stack. Must be called synchronously within `runWorker()`.
 */
export function entryModules(modules: readonly string[], modulesOption: readonly unknown[] | undefined): string[] {
  if (modulesOption === undefined) return [...modules]
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

/** The URLs of the files with functions on the stack, awaiting ones included. */
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

/** Without the query in which loaders mark what they loaded. */
function withoutQuery(url: string): string {
  return pathToFileURL(fileURLToPath(url)).href
}
