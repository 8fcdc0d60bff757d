/** Where in the source a function was called, and whether two calls come from one module that was evaluated twice. */
import { shared } from './registry.js'

export interface CallSite {
  /** The module as it was loaded, with anything that a bundler or a loader appended to its name. */
  readonly module: string
  /** The modules on the stack, without that: more than one if a function of another module made the call. */
  readonly modules: readonly string[]
  /** Identifies everything that is called before the event loop continues. */
  readonly synchronousRun: object
  /** As `file:line:column`, for people; with source maps if Node uses them. */
  readonly text: () => string | undefined
}

/** The call site of a function that is running now. */
// biome-ignore lint/complexity/noBannedTypes: any function
export function callSiteOf(called: Function): CallSite {
  const trace: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = 1
    // Created lazily: it is rarely read, and reading source maps takes a while.
    Error.captureStackTrace(trace, called)
  } finally {
    Error.stackTraceLimit = limit
  }
  const modules = modulesAbove(called)
  return {
    module: modules[0] ?? '',
    modules: modules.map(bareName),
    synchronousRun: currentRun(),
    text: () => /\(?([^()\s]+:\d+:\d+)\)?\s*$/.exec(trace.stack ?? '')?.[1],
  }
}

/** Whether both were called by the same module, evaluated twice. */
export function sameModule(one: CallSite, other: CallSite): boolean {
  if (one.module === '' || one.synchronousRun === other.synchronousRun) return false
  // Node evaluates an ES module once: two calls from it come from the same evaluation.
  if (one.module.startsWith('file:') && one.module === other.module) return false
  return one.modules.join('\n') === other.modules.join('\n')
}

/** The modules the call came from, up to the first whose top-level code was running. */
// biome-ignore lint/complexity/noBannedTypes: any function
function modulesAbove(called: Function): string[] {
  const modules: string[] = []
  for (const site of callSites(called)) {
    const module = site.getFileName() ?? site.getScriptNameOrSourceURL() ?? ''
    if (module === '' || module.startsWith('node:')) break
    modules.push(module)
    const name = site.getFunctionName()
    if (name === null || name === 'eval' || name.includes('/')) break
  }
  return modules
}

// biome-ignore lint/complexity/noBannedTypes: any function
function callSites(called: Function): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = 10
    Error.prepareStackTrace = (_, sites) => sites
    Error.captureStackTrace(holder, called)
    return Array.isArray(holder.stack) ? holder.stack : []
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

/** Without the query that a reload changes, and without webpack's prefixes. */
function bareName(module: string): string {
  return module.replace(/^webpack-internal:\/\/\/(\([^)]*\)\/)?/, '').replace(/[?#].*$/, '')
}

const runs = shared('runs', (): { current: object | undefined } => ({ current: undefined }))

function currentRun(): object {
  if (!runs.current) {
    runs.current = {}
    queueMicrotask(() => {
      runs.current = undefined
    })
  }
  return runs.current
}
