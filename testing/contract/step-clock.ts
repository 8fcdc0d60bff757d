/** Changes the system clock for the rest of a test. */
import type { Teardowns } from './contract-test.js'

/** Shifts `Date.now()` by a number of milliseconds, which may be negative, until the test ends. */
export function stepClock(t: Teardowns, by: number): void {
  const { now } = Date
  Date.now = () => now() + by
  t.teardown(() => {
    Date.now = now
  })
}
