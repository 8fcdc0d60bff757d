/**
 * Loads the modules of the application in a thread as the main thread did. If it used `require()`, a loader that only
 * handles `require()` may have been involved (tsx, ts-node), and an `import()` would load second copies.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { requireFrom } from '../../bundled.js'

/** Those of the modules that the main thread loaded with `require()`. */
export function requiredModules(modules: readonly string[]): string[] {
  const { cache } = requireFrom(join(process.cwd(), '_'))
  return modules.filter((module) => module.startsWith('file:') && fileURLToPath(module) in cache)
}

/** Loads a module with `require()` or `import()`. */
export async function loadModule(module: string, required: boolean): Promise<unknown> {
  if (required) {
    try {
      return requireFrom(module)(fileURLToPath(module))
    } catch (error) {
      if (!isForImport(error)) throw error
    }
  }
  // Hidden from bundlers: the module is known only at run time.
  return import(/* webpackIgnore: true */ /* @vite-ignore */ module)
}

/** An ES module. The script of a process is in the cache of `require()` even if Node imported it in the end. */
function isForImport(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ERR_REQUIRE_ESM' || code === 'ERR_REQUIRE_ASYNC_MODULE'
}
