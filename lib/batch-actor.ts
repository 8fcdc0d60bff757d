/** `batchActor()`: an actor whose messages run many at once, in one call of its function. */
import { makeActor } from './actor.js'
import type { BatchActor } from './actor-contract.js'
import type { ActorOptions } from './actor-options.js'
import { checkSettings, expected } from './checks.js'
import type { Duration } from './duration.js'
import type { IsJSON, IsOpen, JSONProblem } from './json-types.js'
import { duration, flag } from './options.js'
import { type ArgumentsOf, checkRunnable, type ResultOf } from './runnable.js'
import type { InputOf, OutputOf, StandardSchemaV1 } from './validation/standard-schema.js'

/** Options of a batch actor: those of every actor, and how its messages are run together. */
export interface BatchActorOptions extends ActorOptions {
  /**
   * The most messages of a batch. A batch runs at once when it has that many.
   * @default 100
   */
  size?: number | undefined
  /**
   * How long the first message of a batch waits for others; with 0, for those that are there already.
   * @default '50ms'
   */
  linger?: Duration | undefined
  /**
   * Whether a message that failed runs in a batch of its own from then on. Then an item that makes every batch fail, and
   * whose index isn't known, fails the others only once.
   * @default false
   */
  retryAlone?: boolean | undefined
}

// biome-ignore lint/complexity/noBannedTypes: a signature would make "any" of parameters that have no type of their own
type AnyFunction = Function

/** The functions that can be batch actors: with a schema, those that take what it makes of the items. */
type BatchFunctionOf<S> = S extends StandardSchemaV1 ? (items: OutputOf<S>[]) => unknown : AnyFunction

/**
 * `unknown` if `F` can be a batch actor: a function of one array. Otherwise a text that says why not, which no function
 * is assignable to.
 *
 * @typeParam Kept Whether its results are stored (`storeResults`), and must be JSON; only known if it is a literal.
 * @typeParam S Its schema. What a function receives from one needn't be JSON.
 */
export type BatchRunnable<F, Kept = boolean | undefined, S = undefined> = F extends (items: infer I) => infer R
  ? [I] extends [readonly (infer T)[]]
    ? IsJSON<S extends StandardSchemaV1 ? null : T> extends false
      ? JSONProblem<T, 'item'>
      : [Kept] extends [true]
        ? ResultsProblem<Awaited<R>>
        : unknown
    : 'The function of a batch actor takes an array of items.'
  : 'The function of a batch actor takes one parameter, an array of items.'

// biome-ignore lint/suspicious/noConfusingVoidType: what a function returns that returns nothing
type Results = readonly unknown[] | undefined | void

type ResultsProblem<R> =
  IsOpen<R> extends true
    ? unknown
    : [R] extends [Results]
      ? IsJSON<R> extends true
        ? unknown
        : JSONProblem<R, 'result'>
      : 'The function of a batch actor returns an array of results, one for each item, or nothing.'

/** The items of a batch are elements of its function's parameter. */
type ItemOf<F> = ArgumentsOf<F>[0] extends readonly (infer T)[] ? T : unknown

/** What each message returns, if its function returns an array; otherwise nothing. */
type ItemResultOf<R> = IsOpen<R> extends true ? unknown : R extends readonly (infer T)[] ? T : undefined

type BatchActorOf<S, F> = S extends StandardSchemaV1
  ? BatchActor<InputOf<S>, ItemResultOf<ResultOf<F>>, OutputOf<S>>
  : BatchActor<ItemOf<F>, ItemResultOf<ResultOf<F>>>

/** `unknown` if what the schema takes can be sent as JSON; otherwise a text that says why not. */
type SendableItem<S> = IsJSON<InputOf<S>> extends false ? JSONProblem<InputOf<S>, 'item'> : unknown

/**
 * Creates a batch actor: `send(item)` sends one item, and the function gets up to `size` of them in one call. Each
 * message keeps its own end: its own retries, result, callbacks, dead letter. A `schema` is that of an item.
 *
 * The function may return an array of results, one for each item and in their order. It fails all messages of the batch
 * with what it throws, or single ones with a `BatchError`. `current().messages` are the messages.
 *
 * @example
 * export const insertRows = batchActor(async function insertRows(rows: Row[]) {
 *   await db.insert(rows)
 * }, { size: 100, linger: '50ms' })
 * await insertRows.send({ id: 1 })
 *
 * @throws {InvalidOption} for an unknown option or an invalid value, {InvalidName} for a name that the wire doesn't
 * allow.
 */
export function batchActor<
  F extends BatchFunctionOf<S>,
  Kept extends boolean | undefined = boolean | undefined,
  const S extends StandardSchemaV1 | undefined = undefined,
>(
  fn: F & BatchRunnable<F, Kept, S>,
  options: BatchActorOptions & { storeResults?: Kept; schema?: S & SendableItem<S> } = {},
): F & BatchActorOf<S, F> {
  checkRunnable(fn)
  checkSettings(options, 'a batch actor')
  const { size = 100, linger = '50ms', retryAlone = false, ...rest } = options
  if (!Number.isSafeInteger(size) || size < 1) throw expected('a whole number from 1 up', size, 'size')
  const settings = {
    size,
    linger: duration(linger, 'linger'),
    retryAlone: flag(retryAlone, 'retryAlone'),
  }
  return makeActor(fn, rest, batchActor, settings) as unknown as F & BatchActorOf<S, F>
}
