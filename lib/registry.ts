/**
 * What there is once in each thread of a process: the default broker, the declared actors, the logger, and the like. A
 * process may load this package more than once (two versions in a monorepo, ESM beside CommonJS, a bundle beside
 * `node_modules`, a deployment that moves a symlink), and modules are evaluated anew by bundlers that reload. Module
 * variables would be there once in each copy, so that `setBroker()` of one would not be heard of by `send()` of
 * another. Therefore all of that is kept on the global object, under a symbol that all copies know.
 *
 * Copies call each other's methods, so they must fit. Raise `format` whenever a change in what they share, or in what
 * they call on each other's objects, makes an older copy of the same major version unusable.
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
  /** The first of the copies, which the others must fit. */
  readonly copy: Copy
  readonly parts: Map<string, object>
}

const own: Copy = { version, format: 1, path: ownPath() }

const registry = openRegistry(globalThis as { [key: symbol]: Registry | undefined })

/**
 * The state of that name, which all copies of the package in this thread share; the first who asks makes it. Keep it in
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

/** Whether a value is an instance of the class that was marked with that name, in whatever copy. */
export function hasMark(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Symbol.for(`dramatis.${name}`) in value
}

/** Makes `instanceof` of a class true for the instances of every copy of it, by a mark that they inherit. */
export function markInstances(kind: abstract new (...args: never[]) => object, name: string): void {
  const mark = Symbol.for(`dramatis.${name}`)
  const ordinary = Function.prototype[Symbol.hasInstance]
  Object.defineProperty(kind.prototype, mark, { value: true })
  Object.defineProperty(kind, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // A subclass inherits this, and none of the others are its instances.
      if (this !== kind) return ordinary.call(this, value)
      return typeof value === 'object' && value !== null && mark in value
    },
  })
}

/** The names of our classes of plugins: those of one name are the same class, in whatever copy. */
const classNames = shared('plugin classes', () => new WeakMap<object, string>())

/** Makes the classes of this copy known as the same as their namesakes of other copies. */
export function identifyClasses(kinds: readonly (abstract new (...args: never[]) => object)[]): void {
  for (const kind of kinds) classNames.set(kind, kind.name)
}

/** Whether two classes are the same, or the same of two copies. */
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
  if (copy.format !== own.format || line(copy.version) !== line(own.version)) throw new IncompatibleCopies(copy, own)
  return found
}

/** What semantic versioning promises to stay compatible: `1` of 1.2.3, `0.1` of 0.1.2. */
function line(version: string): string {
  const [major, minor] = version.split('.')
  return major === '0' ? `0.${minor}` : `${major}`
}

function ownPath(): string {
  const url: string | undefined = import.meta.url
  // A bundle in CommonJS has no URL.
  return url?.startsWith('file:') ? fileURLToPath(url) : (url ?? 'a bundle')
}
