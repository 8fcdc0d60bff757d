/** Names of queues and actors, as in Dramatiq: `q`, its delay queue `q.DQ`, its dead letters `q.XQ`. */
import { show } from './checks.js'
import { InvalidName } from './errors.js'
import { howToKeepNames, namesAreKept } from './function-names.js'

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
      `Expected an actor name: a non-empty string; got ${show(name)}. ` +
        `Name the function, or give actorName. If a bundler removed the name: ${howToKeepNames}`,
    )
  }
}

/**
 * Refuses to name an actor after its function in a bundle in which functions have lost their names.
 * @throws {InvalidName}
 */
export function checkNameIsKept(name: string): void {
  if (namesAreKept) return
  throw new InvalidName(
    `A bundler has renamed functions in this file, so the name of the actor would be ${show(name)}, ` +
      `which other processes don't know: ${howToKeepNames}`,
  )
}

/** The name of the queue itself, for any of its three names. */
export function canonicalQueueName(name: string): string {
  return name.endsWith('.DQ') || name.endsWith('.XQ') ? name.slice(0, -3) : name
}

/** The name of Dramatiq's delay queue. */
export function delayQueueName(name: string): string {
  return `${canonicalQueueName(name)}.DQ`
}

/** The name of Dramatiq's dead-letter queue. */
export function deadLetterQueueName(name: string): string {
  return `${canonicalQueueName(name)}.XQ`
}
