/**
 * Keeps the process alive until a promise settles: the clock's timers don't, and somebody waits for this.
 */
export async function keepAlive<T>(promise: Promise<T>): Promise<T> {
  const handle = setInterval(() => {}, 2_000_000_000)
  try {
    return await promise
  } finally {
    clearInterval(handle)
  }
}
