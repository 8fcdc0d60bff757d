/** Waits for things that must happen: only a broken implementation lets one time out. */
import { pause, startTimer } from '../../lib/time.js'

/** After this time, in milliseconds, a wait fails. */
const patience = 15_000

/** Waits for a promise that must settle, and keeps the process alive meanwhile. */
export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<never>((_, reject) => {
    timer = startTimer(() => reject(new Error(`Timed out waiting for ${what}.`)), patience)
  })
  return Promise.race([promise, never]).finally(() => clearTimeout(timer))
}

/** Waits until something holds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + patience
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Timed out waiting for ${what}.`)
    await pause(5)
  }
}
