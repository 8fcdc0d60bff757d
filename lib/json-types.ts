/**
 * What JSON can represent, derived from types, so that an actor with arguments that can't be sent doesn't compile. It
 * is less strict than the check at run time (a class with only fields looks like a plain object), and never stricter.
 */

/** Whether JSON preserves a type. `unknown` and `any` count as yes: their values are checked when they are sent. */
export type IsJSON<T, Depth extends readonly unknown[] = []> =
  IsOpen<T> extends true
    ? true
    : Depth['length'] extends 8
      ? true
      : [T] extends [Plain]
        ? true
        : false extends (T extends unknown ? MemberIsJSON<T, Depth> : never)
          ? false
          : true

/** What is wrong with a type, in the words of the error at run time: `args[0].born is a Date: …`. */
export type JSONProblem<T, Path extends string> = T extends unknown
  ? IsJSON<T> extends true
    ? never
    : [ProblemOf<T>] extends [never]
      ? InnerProblem<T, Path>
      : `${Path} ${ProblemOf<T>}.`
  : never

/** The same for the arguments of a function. */
export type ArgumentsProblem<A extends readonly unknown[]> = {
  [I in keyof A]-?: JSONProblem<A[I], `args[${I & string}]`>
}[number]

/** Whether a type is `unknown` or `any`. */
export type IsOpen<T> = 0 extends 1 & T ? true : unknown extends T ? true : false

// biome-ignore lint/suspicious/noConfusingVoidType: what a function returns that returns nothing
type Plain = string | number | boolean | null | undefined | void

/** For one member of a union. Beyond some depth a type is assumed to be recursive. */
type MemberIsJSON<T, Depth extends readonly unknown[]> = T extends Plain
  ? true
  : [ProblemOf<T>] extends [never]
    ? T extends readonly unknown[]
      ? IsJSON<T[number], [...Depth, 0]>
      : false extends { [K in keyof T]-?: IsJSON<T[K], [...Depth, 0]> }[keyof T]
        ? false
        : true
    : false

type InnerProblem<T, Path extends string> = T extends readonly unknown[]
  ? JSONProblem<T[number], `${Path}[]`>
  : { [K in keyof T]-?: JSONProblem<T[K], `${Path}.${K & (string | number)}`> }[keyof T]

type ProblemOf<T> = T extends bigint
  ? "is a bigint: JSON can't carry it; send it as a string"
  : T extends symbol
    ? "is a symbol: JSON can't carry it; send a string"
    : T extends ((...args: never) => unknown) | (abstract new (...args: never) => unknown)
      ? "is a function: JSON can't carry it; send data, not code"
      : T extends Date
        ? "is a Date: JSON can't carry it; send date.toISOString()"
        : T extends ReadonlyMap<unknown, unknown> | WeakMap<object, unknown>
          ? "is a Map: JSON can't carry it; send [...map]"
          : T extends ReadonlySet<unknown> | WeakSet<object>
            ? "is a Set: JSON can't carry it; send [...set]"
            : T extends ArrayBufferView | ArrayBufferLike
              ? "is binary: JSON can't carry it; send base64"
              : T extends RegExp
                ? "is a RegExp: JSON can't carry it; send its source"
                : T extends PromiseLike<unknown>
                  ? "is a promise: JSON can't carry it; await it first"
                  : never
