/**
 * How a thread loads the modules of the application: as the main thread did. Where that was `require()`, a loader may
 * have been at work (tsx, ts-node) that reaches no further, and an `import()` would get a second copy of everything.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { requireFrom } from '../../bundled.js'

/** Those of the modules that were loaded with `require()` here. */
export function requiredModules(modules: readonly string[]): string[] {
  const { cache } = requireFrom(join(process.cwd(), '_'))
  return modules.filter((module) => module.startsWith('file:') && fileURLToPath(module) in cache)
}

/** Loads a module; `required` says how. */
export async function loadModule(module: string, required: boolean): Promise<unknown> {
  if (required) {
    try {
      return requireFrom(module)(fileURLToPath(module))
    } catch (error) {
      if (!isForImport(error)) throw error
    }
  }
  // Not for bundlers: what is imported here is known only when it runs.
  return import(/* webpackIgnore: true */ /* @vite-ignore */ module)
}

/** An ES module: the script of a process stands in the cache of require() even if Node imported it in the end. */
function isForImport(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ERR_REQUIRE_ESM' || code === 'ERR_REQUIRE_ASYNC_MODULE'
}
