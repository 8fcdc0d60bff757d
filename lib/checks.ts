/**
 * Checks of objects passed to public functions. A caller in JavaScript, or one that casts, gets an error that says what
 * was expected and what came, instead of a TypeError from inside, or none.
 */
import { InvalidOption } from './errors.js'
import { hasMark } from './registry.js'

/** The error for an invalid value. */
export function expected(what: string, value: unknown, name: string): InvalidOption {
  return new InvalidOption(`Expected "${name}" to be ${what}; got ${show(value)}.`, name)
}

/** A value for an error message: short, and with a clear type. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `a function${value.name ? ` (${value.name})` : ''}`
  if (value === null || typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `an object (${value.constructor?.name ?? 'no prototype'})`
}

// — Objects ——————————————————————————————————————————————————————————————————————————————————————————————

/** @throws {InvalidOption} */
export function checkBroker(value: unknown, name = 'broker'): void {
  if (hasMark(value, 'broker')) return
  throw expected("a broker, such as new RedisBroker({ url: 'redis://…' })", value, name)
}

/**
 * Checks that an object has these methods.
 * @param what What it should be, for the error.
 * @throws {InvalidOption}
 */
export function checkMethods(value: unknown, methods: readonly string[], name: string, what: string): void {
  const object = (typeof value === 'object' || typeof value === 'function') && value !== null ? value : {}
  const missing = methods.filter((method) => typeof (object as Record<string, unknown>)[method] !== 'function')
  if (missing.length === 0) return
  const isClass = typeof value === 'function' && missing.every((method) => method in (value.prototype ?? {}))
  const hint = isClass ? `, which is a class: give an instance of it` : `, which has no ${missing.join(', ')}`
  throw new InvalidOption(`Expected "${name}" to be ${what}; got ${show(value)}${hint}.`, name)
}

// — Settings —————————————————————————————————————————————————————————————————————————————————————————————

/**
 * Checks that options are an object, such as `{ timeout: '5s' }`, and not a similar value.
 * @throws {InvalidOption}
 */
export function checkSettings(options: unknown, where: string): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new InvalidOption(
    `Expected the options of ${where} to be an object, as in { name: value }; got ${show(options)}.`,
    'options',
  )
}

/**
 * Checks that options are an object with no other keys than these; for constructors (`new Worker(broker, { … })`).
 * @throws {InvalidOption}
 */
export function refuseUnknown(options: unknown, names: readonly string[], where: string): asserts options is object {
  checkSettings(options, where)
  const hint = names.length > 0 ? ` The options there are: ${names.join(', ')}.` : ''
  for (const name of Object.keys(options)) if (!names.includes(name)) unknownOption(name, names, where, hint)
}

/**
 * @param hint Text for the error if no known name is similar.
 * @throws {InvalidOption} always.
 */
export function unknownOption(name: string, names: Iterable<string>, where: string, hint: string): never {
  const near = nearest(name, names)
  const text = near === undefined ? `(on ${where}).${hint}` : `did you mean "${near}"? (on ${where})`
  throw new InvalidOption(`Unknown option "${name}"${near === undefined ? ' ' : ', '}${text}`, name)
}

/**
 * The name with the smallest edit distance, if it is close enough to be what was meant.
 * @param most The maximum distance, if less than what the length of the name allows.
 */
export function nearest(name: string, names: Iterable<string>, most = Number.POSITIVE_INFINITY): string | undefined {
  let best: string | undefined
  // Of a short name hardly anything would be left.
  let fewest = Math.min(most, Math.max(1, Math.min(Math.max(2, Math.round(name.length * 0.4)), name.length - 2))) + 1
  for (const candidate of names) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

/** The Levenshtein distance, computed row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
