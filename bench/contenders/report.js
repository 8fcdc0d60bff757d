/** Shared by all contenders: the work to do, and how the figures are reported. */
import { setTimeout as wait } from 'node:timers/promises'

/** How many messages to send and then to process; how many sends run concurrently. */
export const messages = Number(process.env.BENCH_MESSAGES ?? 100_000)
export const burst = Math.min(1000, messages)

/** The one argument of every message; with the envelope of most libraries that makes about 200 bytes. */
export const payload = 'x'.repeat(8)

/**
 * Starts a measurement. The returned function reports the messages per second since then, and the microseconds of CPU
 * of this process per message, which vary less than the rate on a shared machine.
 */
export function meter() {
  const start = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { rate: Math.round((messages / (performance.now() - start)) * 1000), cpu: (user + system) / messages }
  }
}

/** Sends all messages, `burst` at a time. */
export async function timeSends(send) {
  const stop = meter()
  for (let sent = 0; sent < messages; sent += burst) await Promise.all(Array.from({ length: burst }, send))
  return stop()
}

/**
 * Runs a task several times. Returns how long it took in milliseconds: the first time, when its code isn't compiled yet,
 * and the median of the times after it.
 * @param prepare Makes a run, which isn't measured; returns the function that is.
 */
export async function timeRuns(prepare, runs = 8) {
  const times = []
  for (let index = 0; index < runs; index++) {
    const run = await prepare(index)
    const start = performance.now()
    await run()
    times.push(performance.now() - start)
  }
  const [first, ...later] = times
  return { first, later: later.toSorted((a, b) => a - b)[Math.floor(later.length / 2)] }
}

/**
 * One message at a time to an idle worker: milliseconds from the send until the worker starts on it.
 * @param send Sends one.
 * @param onStart Receives the function to call when the worker starts a message.
 */
export async function timeStarts(send, onStart) {
  const waits = []
  let started
  onStart(() => started())
  for (let index = 0; index < 2500; index++) {
    await wait(3)
    const start = performance.now()
    const running = new Promise((resolve) => {
      started = resolve
    })
    await Promise.all([send(), running.then(() => waits.push(performance.now() - start))])
  }
  // In a new process the first messages run code that isn't compiled yet.
  return { ...percentiles('cold', waits.slice(0, 400)), ...percentiles('warm', waits.slice(500)) }
}

function percentiles(name, waits) {
  const sorted = waits.sort((a, b) => a - b)
  return { [`${name} p50`]: sorted[sorted.length * 0.5], [`${name} p99`]: sorted[sorted.length * 0.99] }
}

/** Prints the figures for the process that started this one, and ends. */
export async function report(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`)
  await wait(0)
  process.exit(0)
}
