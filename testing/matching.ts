/** Partial comparison of arguments, and how calls are shown in a failure. */
import type { ActorHandle } from '../lib/actor-contract.js'
import { expected } from '../lib/checks.js'
import { cut } from '../lib/thrown.js'

/** An actor of any signature, or a handle on one. */
// biome-ignore lint/suspicious/noExplicitAny: an actor of any signature
export type AnyHandle = ActorHandle<any[], any>

/** A pattern for a value: objects may lack properties, a text may be a regular expression, `undefined` is anything. */
export type Pattern<T> = unknown extends T
  ? unknown
  : T extends string
    ? T | RegExp
    : T extends readonly unknown[]
      ? { readonly [Index in keyof T]: Pattern<T[Index]> | undefined }
      : T extends object
        ? { readonly [Key in keyof T]?: Pattern<T[Key]> | undefined }
        : T

/** Patterns for the arguments of an actor; those at the end may be left out. */
export type ArgumentPatterns<H extends AnyHandle> = Partial<Pattern<Parameters<H['send']>>>

/** @throws {InvalidOption} */
export function checkActor(actor: unknown): void {
  if (typeof (actor as AnyHandle | undefined)?.actorName === 'string') return
  throw expected('an actor, as actor() makes it', actor, 'actor')
}

/** @throws {InvalidOption} */
export function checkArguments(args: unknown): void {
  if (args !== undefined && !Array.isArray(args)) throw expected('an array of arguments, as in [1, 2]', args, 'args')
}

/** Whether a value, as JSON, has everything that the pattern has. Arrays must be of the same length. */
export function matches(value: unknown, pattern: unknown): boolean {
  if (pattern === undefined) return true
  if (pattern instanceof RegExp) return typeof value === 'string' && pattern.test(value)
  if (typeof pattern !== 'object' || pattern === null) return value === pattern
  if (typeof value !== 'object' || value === null || Array.isArray(value) !== Array.isArray(pattern)) return false
  if (Array.isArray(pattern) && pattern.length !== (value as unknown[]).length) return false
  return Object.entries(pattern).every(([key, inner]) => matches((value as Record<string, unknown>)[key], inner))
}

/** Whether the first arguments match these patterns. */
export function argumentsMatch(args: readonly unknown[], patterns: readonly unknown[] = []): boolean {
  return patterns.every((pattern, index) => matches(args[index], pattern))
}

/** A call as in code: `sendEmail("ada@example.com", 3)`. */
export function showCall(actorName: string, args: readonly unknown[] | undefined): string {
  return `${actorName}(${args === undefined ? '…' : args.map(showArgument).join(', ')})`
}

const longestArgument = 200

function showArgument(value: unknown): string {
  if (value === undefined) return '…'
  const text = JSON.stringify(value, (_, inner) => (inner instanceof RegExp ? String(inner) : inner)) ?? String(value)
  return cut(text, longestArgument)
}
