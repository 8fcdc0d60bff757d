/** The types of an actor's arguments, from the schemas of its `schema` option. */
import type { Actor } from '../actor-contract.js'
import type { ArgumentsProblem, IsJSON, IsOpen } from '../json-types.js'
import type { ArgumentsOf, ResultOf, Runnable } from '../runnable.js'
import type { InputOf, OutputOf, StandardSchemaV1 } from './standard-schema.js'

/** The value of the `schema` option: the schema of the only argument, or a list with one schema for each argument. */
export type ArgumentSchema = StandardSchemaV1 | readonly StandardSchemaV1[]

/** The arguments that are sent: what the schemas take. Those at the end that may be `undefined` may be omitted. */
export type InputsOf<S> = S extends readonly unknown[]
  ? WithOptionalEnd<{ -readonly [I in keyof S]: InputOf<S[I]> }>
  : WithOptionalEnd<[InputOf<S>]>

/** The arguments that the function receives: what the schemas make of those that were sent. */
export type OutputsOf<S> = S extends readonly unknown[] ? { -readonly [I in keyof S]: OutputOf<S[I]> } : [OutputOf<S>]

// biome-ignore lint/complexity/noBannedTypes: a signature would make "any" of parameters that have no type of their own
type AnyFunction = Function

/** The functions that can be actors: with schemas, those that take what the schemas make of the arguments. */
export type FunctionOf<S> = S extends ArgumentSchema ? (...args: OutputsOf<S>) => unknown : AnyFunction

/** As `Runnable`; what a function receives from schemas needn't be JSON. */
export type RunnableWith<S, F, Kept> = S extends ArgumentSchema
  ? F extends (...args: never) => infer R
    ? Runnable<() => R, Kept>
    : unknown
  : Runnable<F, Kept>

/** The actor made of a function. */
export type ActorOf<S, F> = S extends ArgumentSchema
  ? Actor<InputsOf<S>, ResultOf<F>, OutputsOf<S>>
  : Actor<ArgumentsOf<F>, ResultOf<F>>

/** `unknown` if what the schemas take can be sent as JSON; otherwise a text that says why not. */
export type SendableInputs<S> = IsJSON<InputsOf<S>> extends false ? ArgumentsProblem<InputsOf<S>> : unknown

/** An input of type `unknown` stays required: most schemas that take anything refuse `undefined`. */
type WithOptionalEnd<A extends readonly unknown[]> = A extends [...infer Start, infer Last]
  ? IsOpen<Last> extends true
    ? A
    : undefined extends Last
      ? [...WithOptionalEnd<Start>, Last?]
      : A
  : A
