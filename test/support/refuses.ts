/** Calls with arguments that are nearly right, whose errors must state what is wrong. */
import type { Test } from 'tap'
import { DramatisError } from '../../lib/errors.js'

/** The argument of a call, and the expected error. */
export type Case = readonly [value: unknown, says: RegExp]

// biome-ignore lint/suspicious/noExplicitAny: arguments that the compiler would refuse
export type Anything = any

/** Values that are passed as options and aren't options. */
export function notAnObject(where: string): Case[] {
  const expected = `^Expected the options of ${where} to be an object, .*got`
  return [
    [null, new RegExp(`${expected} null\\.$`)],
    ['5s', new RegExp(`${expected} (a text|"5s")\\.$`)],
    [['a'], new RegExp(`${expected} (an array|a list)`)],
  ]
}

/** Every case throws or rejects with a dramatis error with that text. */
export async function refuses(t: Test, call: (value: Anything) => unknown, cases: readonly Case[]): Promise<void> {
  for (const [value, says] of cases) {
    let error: unknown
    try {
      await call(value)
    } catch (caught) {
      error = caught
    }
    t.ok(error instanceof DramatisError, `a DramatisError: ${says}`, { error })
    t.match((error as Error | undefined)?.message, says)
  }
}
