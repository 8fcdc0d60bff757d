/**
 * What JSON carries, told from types alone: so that an actor whose arguments can't be sent doesn't compile. It says less than
 * the check at run time (a class with nothing but fields has the shape of a plain object), and never more.
 */

/** Whether JSON carries a type unharmed. `unknown` and `any` do: what comes is checked when it is sent. */
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

/** What is wrong with a type, as the error at run time would say it: `args[0].born is a Date: …`. */
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

/** Whether a type says nothing of what it is. */
export type IsOpen<T> = 0 extends 1 & T ? true : unknown extends T ? true : false

// biome-ignore lint/suspicious/noConfusingVoidType: what a function returns that returns nothing
type Plain = string | number | boolean | null | undefined | void

/** For one member of a union. Beyond some depth a type is taken to refer to itself. */
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
