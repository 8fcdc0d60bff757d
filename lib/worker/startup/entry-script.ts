/**
 * The script that this process was started with: threads import it if no `modules` are given. `process.argv[1]` is that
 * script as it was typed (`node .`, `node worker`), and under some tools it is the script of the tool.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { requireFrom } from '../../bundled.js'
import { InvalidOption } from '../../errors.js'

/** What `modules` is for, for error messages. */
export const whatModulesAreFor =
  'Threads import "modules" to find the actors; without them, the script the process was started with. ' +
  "Name the modules that declare the actors, as in { modules: ['./actors.js'] }; or run them on the main thread, with { threads: 0 }."

/**
 * The URL of the script this process was started with.
 * @throws {InvalidOption} if there is none, or if it is a test, or a tool that runs other scripts.
 */
export function entryScript(): string {
  const given = process.argv[1]
  // With --eval the first argument belongs to the program.
  if (given === undefined || given === '-' || isEvaluated()) throw refusal('was started without a script')
  const path = locate(given)
  if (path === undefined) throw refusal(`was started with ${given}, but there is no such file`)
  const tool = toolOf(path)
  const script = tool === 'pm2' && process.env.pm_exec_path ? locate(process.env.pm_exec_path) : undefined
  if (script !== undefined) return pathToFileURL(script).href
  if (tool !== undefined) throw refusal(`was started by ${tool} (${path}), not with your own script`)
  if (isTest(path)) throw refusal(`runs the tests in ${path}, which threads would run as well`)
  return pathToFileURL(path).href
}

/** Whether a module is the script this process was started with. */
export function isEntryScript(url: string): boolean {
  try {
    return url === entryScript()
  } catch {
    return false
  }
}

function refusal(why: string): InvalidOption {
  return new InvalidOption(`This process ${why}. ${whatModulesAreFor}`, 'modules')
}

function isEvaluated(): boolean {
  return (process as { _eval?: string })._eval !== undefined
}

/** The file that Node runs for a path on its command line: with an extension added, or the main file of a folder. */
function locate(path: string): string | undefined {
  const require = requireFrom(pathToFileURL(join(process.cwd(), '_')))
  try {
    return require.resolve(resolve(path))
  } catch {
    return undefined
  }
}

/**
 * The package of a script, if it is a tool that runs the scripts of others (pm2, vitest, jest, next): it is installed,
 * and doesn't use dramatis itself.
 */
function toolOf(path: string): string | undefined {
  if (!/[\\/]node_modules[\\/]/.test(path)) return undefined
  const manifest = manifestOf(path, ({ name }) => name !== undefined)
  if (manifest === undefined || manifest.content.name === 'dramatis') return undefined
  const { name, dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest.content
  const all = { ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies }
  return 'dramatis' in all ? undefined : name
}

/**
 * Whether a script is run by `node --test`. Processes that a test starts inherit the variable, but have other names.
 */
function isTest(path: string): boolean {
  return process.env.NODE_TEST_CONTEXT !== undefined && /(^test|[._-](test|spec))\.[cm]?[jt]sx?$/.test(basename(path))
}

interface Manifest {
  readonly name?: string
  readonly type?: string
  readonly dependencies?: object
  readonly devDependencies?: object
  readonly peerDependencies?: object
  readonly optionalDependencies?: object
}

/** The nearest package.json above a file that matches. */
export function manifestOf(
  file: string,
  wanted: (content: Manifest) => boolean = () => true,
): { readonly path: string; readonly content: Manifest } | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) {
      const content = readManifest(path)
      if (content && wanted(content)) return { path, content }
    }
    if (folder === dirname(folder) || basename(folder) === 'node_modules') return undefined
  }
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest
  } catch {
    return undefined
  }
}
