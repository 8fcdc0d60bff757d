/**
 * What can be an actor: a function that does its work when it is called. Other values look like one to the compiler, or
 * to a program without types, and would be acknowledged without having done anything.
 */

import { show } from './checks.js'
import { InvalidOption, NotSerializable } from './errors.js'
import type { ArgumentsProblem, IsJSON, IsOpen, JSONProblem } from './json-types.js'

/**
 * `unknown` if `F` can be an actor; otherwise a text that says why not, which no function is assignable to.
 *
 * For functions of your own that wrap `actor()`, which must pass the check on.
 *
 * @typeParam Kept Whether its result is stored (`storeResults`), and must be JSON; only known if it is a literal.
 * @example
 * function task<F extends Function>(fn: F & Runnable<F>) {
 *   return actor<F>(fn, { queueName: 'tasks' })
 * }
 */
export type Runnable<F, Kept = boolean | undefined> = F extends (...args: infer A) => infer R
  ? IsGenerator<R> extends true
    ? 'A generator function runs nothing when it is called: write an async function.'
    : IsJSON<A> extends false
      ? ArgumentsProblem<A>
      : [Kept] extends [true]
        ? IsJSON<Awaited<R>> extends true
          ? unknown
          : JSONProblem<Awaited<R>, 'result'>
        : unknown
  : F extends abstract new (
        ...args: never
      ) => unknown
    ? "A class can't be called: give a function."
    : unknown

type IsGenerator<R> =
  IsOpen<R> extends true
    ? false
    : [R] extends [Generator | AsyncGenerator]
      ? [R] extends [never]
        ? false
        : true
      : false

/** The arguments of a function; of an overloaded one, those of its last signature. */
export type ArgumentsOf<F> = F extends (...args: infer A) => unknown ? A : unknown[]

/** What a function returns, awaited. */
export type ResultOf<F> = F extends (...args: never) => infer R ? Awaited<R> : unknown

/** @throws {InvalidOption} for anything that doesn't do its work when it is called. */
export function checkRunnable(fn: unknown): void {
  const problem = problemOf(fn)
  if (problem) throw new InvalidOption(`Expected a function to make an actor of; got ${problem}.`, 'fn')
}

function problemOf(fn: unknown): string | undefined {
  if (typeof fn !== 'function') {
    if (typeof fn === 'object' && fn !== null && 'then' in fn) return 'a promise: give the function, without calling it'
    return show(fn)
  }
  if ('actorName' in fn && 'fn' in fn) {
    return `the actor ${show(fn.actorName)}, which is one already: give the function itself, its "fn", and another actorName`
  }
  // Works through `bind`, and for other realms.
  const kind = Object.prototype.toString.call(fn)
  if (kind === '[object GeneratorFunction]' || kind === '[object AsyncGeneratorFunction]') {
    return `the generator function ${show(fn.name)}: calling it runs nothing. Write an async function that does in a loop what would be yielded`
  }
  // Only a class has a `prototype` that can't be replaced.
  if (Object.getOwnPropertyDescriptor(fn, 'prototype')?.writable === false) {
    return `the class ${show(fn.name)}, which can't be called: give a function that makes an instance and uses it`
  }
  return undefined
}

/**
 * Refuses the return value of a generator function, of which nothing has run. One that was compiled to older JavaScript
 * looks like any other function until it is called.
 *
 * @throws {NotSerializable} so that it isn't retried.
 */
export function refuseGenerator(result: unknown, actorName: string): void {
  if (typeof result !== 'object' || result === null) return
  // Nearly always a promise, which is neither.
  const { then, next, throw: raise } = result as { then?: unknown; next?: unknown; throw?: unknown }
  if (typeof then === 'function' || typeof next !== 'function' || typeof raise !== 'function') return
  throw new NotSerializable(
    `The actor "${actorName}" returned a generator, of which nothing has run: write an async function that does in a loop what would be yielded.`,
    'result',
  )
}
