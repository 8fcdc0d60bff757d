/** The types of steps: what each gives, what each takes, and whether they fit together. */

import type { Duration } from '../duration.js'

/** A step of a pipeline, or a member of a group: a message, a group or a pipeline. */
export interface Step {
  /** Only carries the type of what it takes from the step before. */
  readonly _takes?: { readonly value: unknown }
  result(options?: object): Promise<unknown>
}

/** A pipeline, as `Message.pipe` returns it: see `Pipeline`. */
export interface Piped<Results extends readonly unknown[], Takes> extends Step {
  readonly _results?: Results
  readonly _takes?: { readonly value: Takes }
  /** The id of this pipeline, by which it can be cancelled. */
  readonly id: string
  /** Its steps. */
  readonly steps: readonly Step[]
  /** See `Pipeline.pipe`. */
  pipe<N extends Step>(next: N & Fitting<N, LastResultOf<Results>>): Piped<[...Results, ...StepsOf<N>], Takes>
  /** See `Pipeline.run`. */
  run(options?: { delay?: Duration | undefined }): Promise<this>
  /** See `Pipeline.result`. */
  result(options?: { timeout?: Duration | undefined }): Promise<LastResultOf<Results>>
  /** See `Pipeline.results`. */
  results(options?: { timeout?: Duration | undefined }): AsyncGenerator<Results[number], void>
}

/** What a step gives. */
export type ResultOfStep<T> = T extends { result(options?: object): Promise<infer R> } ? R : never

/** What a step takes. */
// biome-ignore lint/suspicious/noExplicitAny: whatever comes
type TakenBy<T> = T extends { readonly _takes?: { readonly value: infer X } } ? X : any

/** What the steps of a step give, in order: of a pipeline each, else only its own. */
export type StepsOf<T> = T extends { readonly _results?: infer R extends readonly unknown[] } ? R : [ResultOfStep<T>]

/** What these steps give, those of pipelines one by one. */
export type ResultsOf<S extends readonly unknown[]> = S extends readonly [infer First, ...infer Rest]
  ? [...StepsOf<First>, ...ResultsOf<Rest>]
  : S extends readonly []
    ? []
    : ResultOfStep<S[number]>[]

/** What the members of a group give, in order. */
export type MemberResultsOf<S extends readonly unknown[]> = { -readonly [I in keyof S]: ResultOfStep<S[I]> }

/** What the last one gives. */
export type LastResultOf<R extends readonly unknown[]> = R extends readonly [...unknown[], infer Last]
  ? Last
  : R[number]

/** What the first step of a pipeline takes. */
export type TakesOf<S extends readonly unknown[]> = S extends readonly [infer First, ...unknown[]]
  ? TakenBy<First>
  : // biome-ignore lint/suspicious/noExplicitAny: whatever comes
    any

/** What all members of a group take: what each of them takes. */
export type TakesOfAll<S extends readonly unknown[]> = (
  S[number] extends infer T
    ? T extends unknown
      ? (value: TakenBy<T>) => void
      : never
    : never
) extends (value: infer X) => void
  ? X
  : never

/** The steps, if each takes what the one before gives; otherwise one of them has a text in its type that says so. */
export type Chained<S extends readonly unknown[]> = S extends readonly [infer First, ...infer Rest]
  ? readonly [First, ...ChainedAfter<ResultOfStep<First>, Rest>]
  : S

type ChainedAfter<In, S extends readonly unknown[]> = S extends readonly [infer First, ...infer Rest]
  ? readonly [First & Fitting<First, In>, ...ChainedAfter<ResultOfStep<First>, Rest>]
  : S

/** `unknown` if a step takes what the one before gives, or if that isn't known; otherwise a text that says so. */
export type Fitting<T, In> = unknown extends In
  ? unknown
  : [In] extends [TakenBy<T>]
    ? unknown
    : 'This step does not take what the step before it returns'
