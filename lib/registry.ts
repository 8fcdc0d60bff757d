/**
 * State that exists once in each thread of a process: the default broker, the declared actors, the logger, and so on. A
 * process may load this package more than once (two versions in a monorepo, ESM beside CommonJS, a bundle beside
 * `node_modules`, a deployment that moves a symlink), and bundlers that reload evaluate modules again. Module variables
 * would exist once per copy, so that `setBroker()` of one copy would not affect `send()` of another. So this state is
 * kept on the global object, under a symbol that all copies know.
 *
 * Copies call each other's methods, so they must be compatible. Increase `format` whenever a change of the shared
 * state, or of the methods that copies call on each other's objects, makes an older copy of the same major version
 * unusable.
 */
import { fileURLToPath } from 'node:url'
import { IncompatibleCopies } from './errors.js'
import { version } from './version.js'

interface Copy {
  readonly version: string
  readonly format: number
  /** The file that this copy was loaded from. */
  readonly path: string
}

interface Registry {
  /** The first copy, with which the others must be compatible. */
  readonly copy: Copy
  readonly parts: Map<string, object>
}

const own: Copy = { version, format: 1, path: ownPath() }

const registry = openRegistry(globalThis as { [key: symbol]: Registry | undefined })

/**
 * The state with that name, shared by all copies of the package in this thread; the first caller creates it. Keep it in
 * a constant of the module: then it costs no more than a variable.
 */
export function shared<T extends object>(name: string, make: () => T): T {
  let part = registry.parts.get(name)
  if (!part) {
    part = make()
    registry.parts.set(name, part)
  }
  return part as T
}

/** Whether a value is an instance of the class that was marked with that name, in any copy. */
export function hasMark(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Symbol.for(`dramatis.${name}`) in value
}

/** Makes `instanceof` of a class true for the instances of all copies of it, by a mark that they inherit. */
export function markInstances(kind: abstract new (...args: never[]) => object, name: string): void {
  const mark = Symbol.for(`dramatis.${name}`)
  const ordinary = Function.prototype[Symbol.hasInstance]
  Object.defineProperty(kind.prototype, mark, { value: true })
  Object.defineProperty(kind, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // A subclass inherits this method, but its instances are only its own.
      if (this !== kind) return ordinary.call(this, value)
      return typeof value === 'object' && value !== null && mark in value
    },
  })
}

/** The names of our plugin classes: classes with the same name are the same class, in any copy. */
const classNames = shared('plugin classes', () => new WeakMap<object, string>())

/** Registers the plugin classes of this copy as the same as those of other copies. */
export function identifyClasses(kinds: readonly (abstract new (...args: never[]) => object)[]): void {
  for (const kind of kinds) classNames.set(kind, kind.name)
}

/** Whether two classes are the same, or the same class of two copies. */
export function isSameClass(one: object, other: object): boolean {
  return one === other || (classNames.has(one) && classNames.get(one) === classNames.get(other))
}

function openRegistry(global: { [key: symbol]: Registry | undefined }): Registry {
  const key = Symbol.for('dramatis.registry')
  const found = global[key]
  if (!found) {
    const made: Registry = { copy: own, parts: new Map() }
    Object.defineProperty(global, key, { value: made })
    return made
  }
  const { copy } = found
  if (copy.format !== own.format || compatibilityLine(copy.version) !== compatibilityLine(own.version))
    throw new IncompatibleCopies(copy, own)
  return found
}

/** The version range that semantic versioning keeps compatible: `1` of 1.2.3, `0.1` of 0.1.2. */
function compatibilityLine(version: string): string {
  const [major, minor] = version.split('.')
  return major === '0' ? `0.${minor}` : `${major}`
}

function ownPath(): string {
  const url: string | undefined = import.meta.url
  // A CommonJS bundle has no URL.
  return url?.startsWith('file:') ? fileURLToPath(url) : (url ?? 'a bundle')
}
