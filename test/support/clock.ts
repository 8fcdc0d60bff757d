/** The system's clock, set ahead or back for the rest of a test. */
import type { Test } from 'tap'

/** Lets `Date.now()` be so many milliseconds later, or earlier, until the test ends. */
export function stepClock(t: Test, by: number): void {
  const { now } = Date
  Date.now = () => now() + by
  t.teardown(() => {
    Date.now = now
  })
}
