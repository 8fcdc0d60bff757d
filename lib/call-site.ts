/**
 * Where in the source a function was called, and whether two calls came from one module that was evaluated twice.
 */
import { shared } from './registry.js'

export interface CallSite {
  /** The module, as it was loaded: with what a bundler or a loader put behind its name. */
  readonly module: string
  /** The modules on the way to it, without that: more than one where a function of another module made the call. */
  readonly modules: readonly string[]
  /** What is the same for all that is called before the event loop goes on. */
  readonly run: object
  /** As `file:line:column`, for people: through source maps, where Node uses them. */
  readonly text: () => string | undefined
}

/** The place from which a function was called that is running now. */
// biome-ignore lint/complexity/noBannedTypes: any function
export function callSiteOf(called: Function): CallSite {
  const trace: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = 1
    // Nobody may ever ask, and source maps take a while to be read: the text is made when it is read.
    Error.captureStackTrace(trace, called)
  } finally {
    Error.stackTraceLimit = limit
  }
  const modules = modulesAbove(called)
  return {
    module: modules[0] ?? '',
    modules: modules.map(bareName),
    run: currentRun(),
    text: () => /\(?([^()\s]+:\d+:\d+)\)?\s*$/.exec(trace.stack ?? '')?.[1],
  }
}

/** Whether both were called by the same module, evaluated twice. */
export function sameModule(one: CallSite, other: CallSite): boolean {
  if (one.module === '' || one.run === other.run) return false
  // Node evaluates an ES module once: what is called twice from there is called by the same evaluation.
  if (one.module.startsWith('file:') && one.module === other.module) return false
  return one.modules.join('\n') === other.modules.join('\n')
}

/** The modules from which the call came, up to the first whose own code was running, rather than a function of it. */
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

/** Without the query that a reload changes, and without the layers of webpack. */
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
