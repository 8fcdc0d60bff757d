/** Calls that are given what is nearly right, and must say what is wrong with it. */
import type { Test } from 'tap'
import { DramatisError } from '../../lib/errors.js'

/** What a call is given, and what is said of it. */
export type Case = readonly [value: unknown, says: RegExp]

// biome-ignore lint/suspicious/noExplicitAny: what the compiler would refuse
export type Anything = any

/** What stands in the place of options and is none. */
export function notAnObject(where: string): Case[] {
  const expected = `^Expected the options of ${where} to be an object, .*got`
  return [
    [null, new RegExp(`${expected} null\\.$`)],
    ['5s', new RegExp(`${expected} (a text|"5s")\\.$`)],
    [['a'], new RegExp(`${expected} (an array|a list)`)],
  ]
}

/** Every case throws or rejects with an error of ours that says so. */
export async function refuses(t: Test, call: (value: Anything) => unknown, cases: readonly Case[]): Promise<void> {
  for (const [value, says] of cases) {
    let error: unknown
    try {
      await call(value)
    } catch (caught) {
      error = caught
    }
    t.ok(error instanceof DramatisError, `an error of ours: ${says}`, { error })
    t.match((error as Error | undefined)?.message, says)
  }
}
