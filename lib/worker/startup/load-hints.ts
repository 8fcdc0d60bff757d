/** What to do when a module can't be loaded, for cases in which the loader's own error only says what it found. */
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DramatisError, ModuleLoadError } from '../../errors.js'
import { readModules } from '../worker-options.js'
import { isEntryScript, manifestOf, whatModulesAreFor } from './entry-script.js'

/** The error that names the module that could not be loaded, the cause, and what to do. */
export function loadError(module: string, cause: unknown): ModuleLoadError {
  const hint = hintFor(module, cause)
  return new ModuleLoadError(module, hint === undefined ? { cause } : { cause, hint })
}

/** What loaders report about ES module syntax in a file that they take for CommonJS. */
const notCommonJS =
  /Cannot use import statement outside a module|Unexpected token 'export'|await is only valid in async functions|Top-level await is currently not supported with the "cjs"/

function hintFor(module: string, cause: unknown): string | undefined {
  const { message, code, stack } = cause as { message?: unknown; code?: unknown; stack?: unknown }
  const path = pathOf(module)
  if (notCommonJS.test(String(message))) {
    // The syntax error may be in a file that the module imports: V8 names it in the first line.
    const [, file] = /^((?:\/|[a-zA-Z]:\\).+?):\d+\n/.exec(String(stack)) ?? []
    return commonJSHint(file ?? path)
  }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /"\.[cm]?tsx?"/.test(String(message)))
    return 'This version of Node does not run TypeScript by itself (22.18 and later do): start the process with tsx.'
  if (code === 'ERR_MODULE_NOT_FOUND') {
    const hint = missingHint(module, path)
    if (hint !== undefined) return hint
  }
  // The main thread could load it, so it is not meant to be loaded twice.
  return isEntryScript(module) ? whatModulesAreFor : undefined
}

/** Why a file isn't read as an ES module, and how to change that; nothing if its package is one. */
function commonJSHint(path: string | undefined): string | undefined {
  const reason = path === undefined ? undefined : commonJSReason(path)
  if (path === undefined || reason === undefined) return undefined
  const renamed = basename(path).replace(/\.([jt]sx?)$/, '.m$1')
  return `${reason}, so ${basename(path)} is read as CommonJS. Run npm pkg set type=module, or rename the file ${renamed}.`
}

/**
 * The error of a worker that finds no actors. It points out that two kinds of modules can lead to two copies of
 * dramatis.
 */
export function noActors(modules: readonly (string | URL)[] | undefined): DramatisError {
  const text =
    "No actors are declared on this broker: import their modules before the worker starts, and call setBroker(broker) if it isn't the default one."
  const reason = findCommonJSReason(modules)
  const hint = reason && ` ${reason}: if the modules are written with import and export, run npm pkg set type=module.`
  return new DramatisError(`${text}${hint ?? ''}`)
}

function findCommonJSReason(modules: readonly (string | URL)[] | undefined): string | undefined {
  try {
    for (const module of readModules(modules)) {
      const path = pathOf(module)
      const reason = path === undefined ? undefined : commonJSReason(path)
      if (reason) return reason
    }
  } catch {
    // There is no script to examine.
  }
  return undefined
}

/** What the package.json of a file says, if the file is read as CommonJS because of it. */
function commonJSReason(path: string): string | undefined {
  if (/\.[cm][jt]s$/.test(path)) return undefined
  const manifest = manifestOf(path)
  if (!manifest || manifest.content.type === 'module') return undefined
  return `${manifest.path} ${manifest.content.type === undefined ? 'doesn\'t say "type": "module"' : 'says "type": "commonjs"'}`
}

function missingHint(module: string, path: string | undefined): string | undefined {
  if (path === undefined) {
    if (!existsSync(resolve(module))) return undefined
    return `"${module}" is taken for the name of a package; for the file, write "./${module}".`
  }
  const source = path.replace(/\.([cm]?)js$/, '.$1ts')
  if (existsSync(path) || source === path || !existsSync(source)) return undefined
  return `There is ${basename(source)}: use the name that the file has.`
}

/** The file of a module; nothing for the name of a package. */
function pathOf(module: string | URL): string | undefined {
  const name = String(module)
  if (name.startsWith('file:')) return fileURLToPath(name)
  return /^\.{0,2}[/\\]/.test(name) ? resolve(name) : undefined
}
