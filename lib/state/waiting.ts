/** Waits for something in the state. */
import { startTimer } from '../time.js'
import type { StateBackend } from './backend.js'

/**
 * Reads until there is a value: first at once, then whenever the key has changed.
 * @returns The value, or `undefined` after `timeout` milliseconds.
 */
export async function waitForState<T>(
  state: StateBackend,
  key: string,
  read: () => Promise<T | undefined>,
  timeout: number,
): Promise<T | undefined> {
  const first = await read()
  if (first !== undefined || timeout <= 0) return first
  return new Promise((resolve, reject) => {
    let reading = false
    let again = false
    const look = async (): Promise<void> => {
      again = true
      if (reading) return
      reading = true
      try {
        while (again) {
          again = false
          const found = await read()
          if (found !== undefined) return end(found)
        }
      } catch (error) {
        stop()
        clearTimeout(timer)
        reject(error)
      } finally {
        reading = false
      }
    }
    const end = (value: T | undefined): void => {
      stop()
      clearTimeout(timer)
      resolve(value)
    }
    const stop = state.watch(key, () => void look())
    // It keeps the process alive, like everything that is awaited.
    const timer = startTimer(() => end(undefined), timeout)
  })
}
