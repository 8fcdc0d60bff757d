/** One test of a contract, for any test runner: it is registered with the function that the caller gives. */
import assert from 'node:assert'
import { matches } from '../matching.js'

/**
 * Registers a test: `test` of `node:test` or of vitest, or a function that calls that of another runner.
 *
 * @example
 * // jest
 * const register = (title, { skip, timeout }, run) => (skip ? test.skip : test)(title, run, timeout)
 */
export type TestFunction = (
  title: string,
  options: { skip: boolean; timeout: number },
  run: () => Promise<void>,
) => unknown

/** Where a factory says what must be done after its test, such as deleting a file. */
export interface Teardowns {
  /** Called after the test, the one that was added last first. */
  teardown(then: () => unknown): void
}

/** A test took longer than this, in milliseconds: only a broken implementation does. */
const timeout = 60_000

/** The checks of a test. Each may say in words what it checks. */
export class ContractTest implements Teardowns {
  readonly #teardowns: (() => unknown)[] = []

  /**
   * Registers a test.
   * @param missing What it needs and isn't there: then it is skipped.
   */
  static register(
    test: TestFunction,
    title: string,
    missing: readonly string[],
    run: (t: ContractTest) => Promise<void>,
  ): void {
    const skip = missing.length > 0
    test(skip ? `${title} (has no ${missing.join(', ')})` : title, { skip, timeout }, async () => {
      const t = new ContractTest()
      try {
        await run(t)
      } finally {
        for (const teardown of t.#teardowns.reverse()) await teardown()
      }
    })
  }

  teardown(then: () => unknown): void {
    this.#teardowns.push(then)
  }

  ok(value: unknown, message?: string): void {
    assert.ok(value, message)
  }

  /** The same value. */
  equal(actual: unknown, expected: unknown, message?: string): void {
    assert.strictEqual(actual, expected, message)
  }

  /** The same content, whatever the classes of the objects. */
  same(actual: unknown, expected: unknown, message?: string): void {
    assert.deepEqual(actual, expected, message)
  }

  /** At least this content: objects may have more properties, and texts match expressions. */
  match(actual: unknown, pattern: unknown, message?: string): void {
    if (matches(actual, pattern)) return
    throw new assert.AssertionError({
      message: message ?? 'Expected the value to match the pattern.',
      actual,
      expected: pattern,
      operator: 'match',
      stackStartFn: this.match,
    })
  }

  async rejects(promise: Promise<unknown>, error: assert.AssertPredicate, message?: string): Promise<void> {
    await assert.rejects(promise, error, message)
  }

  throws(run: () => unknown, error: assert.AssertPredicate, message?: string): void {
    assert.throws(run, error, message)
  }

  fail(message?: string): never {
    assert.fail(message)
  }
}
