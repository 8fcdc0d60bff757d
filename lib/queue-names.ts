/**
 * Names of queues and actors, as Dramatiq has them: `q`, its delayed twin `q.DQ`, its dead letters `q.XQ`.
 */
import { InvalidName } from './errors.js'
import { howToKeepNames, namesAreKept } from './function-names.js'
import { show } from './time.js'

/** @throws {InvalidName} */
export function checkQueueName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9._-]*$/.test(name)) {
    throw new InvalidName(
      `Expected a queue name: a letter or "_", then letters, digits, ".", "_" or "-"; got ${show(name)}.`,
    )
  }
}

/** @throws {InvalidName} */
export function checkActorName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidName(
      `Expected an actor name: a text that isn't empty; got ${show(name)}. ` +
        `Name the function, or give actorName. If a bundler removed the name: ${howToKeepNames}`,
    )
  }
}

/**
 * Refuses to call an actor what its function is called, in a bundle where functions have lost their names.
 * @throws {InvalidName}
 */
export function checkNameIsKept(name: string): void {
  if (namesAreKept) return
  throw new InvalidName(
    `A bundler has renamed functions in this file, so that an actor would be called what it made of the name, here ${show(name)}, ` +
      `and others would not find it: ${howToKeepNames}`,
  )
}

/** The queue itself, for any of its three names. */
export function canonicalQueueName(name: string): string {
  return name.endsWith('.DQ') || name.endsWith('.XQ') ? name.slice(0, -3) : name
}

/** Where Dramatiq keeps what is delayed. */
export function delayQueueName(name: string): string {
  return `${canonicalQueueName(name)}.DQ`
}

/** Where what failed for good is kept. */
export function deadLetterQueueName(name: string): string {
  return `${canonicalQueueName(name)}.XQ`
}
