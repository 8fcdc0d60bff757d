/**
 * Checks of objects passed to public functions. A caller in JavaScript, or one that casts, gets an error that says what
 * was expected and what came, instead of a TypeError from inside, or none.
 */
import type { Broker } from './broker.js'
import { InvalidOption } from './errors.js'
import { expected } from './options.js'
import { hasMark } from './registry.js'
import { show } from './time.js'

/** @throws {InvalidOption} */
export function checkBroker(value: unknown, name = 'broker'): asserts value is Broker {
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
