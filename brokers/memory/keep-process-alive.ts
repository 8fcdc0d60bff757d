/** Keeps the process alive during waits, since the clock's timers don't. */
import { longestTimeout, startInterval } from '../../lib/time.js'

/** Keeps it alive until a promise settles. */
export async function keepProcessAlive<T>(promise: Promise<T>): Promise<T> {
  const handle = startInterval(() => {}, longestTimeout)
  try {
    return await promise
  } finally {
    clearInterval(handle)
  }
}
