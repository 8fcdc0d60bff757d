/** What every contender has in common: what it is asked to do, and how it tells what came out. */
import { setTimeout as wait } from 'node:timers/promises'

/** How many messages to send and then to process; how many sends are under way at once. */
export const messages = Number(process.env.BENCH_MESSAGES ?? 100_000)
export const burst = 1000

/** The one argument of every message; with the envelope of most libraries that makes about 200 bytes. */
export const payload = 'x'.repeat(8)

/** Sends them all, `burst` at a time, and gives the rate per second. */
export async function timeSends(send) {
  const start = performance.now()
  for (let sent = 0; sent < messages; sent += burst) await Promise.all(Array.from({ length: burst }, send))
  return rate(start)
}

/** The rate per second of all messages since `start`. */
export function rate(start) {
  return Math.round((messages / (performance.now() - start)) * 1000)
}

/** Prints the figures for the process that started this one, and ends. */
export async function report(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`)
  await wait(0)
  process.exit(0)
}
