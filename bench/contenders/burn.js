/** Work that keeps a processor busy: BENCH_WORK rounds of it, the same amount for every contender. */
const rounds = Number(process.env.BENCH_WORK ?? 0)

export function burn(count = rounds) {
  let value = 1
  for (let round = 0; round < count; round++) value = (value * 48271 + round) % 2147483647
  return value
}

/** How many rounds take this many milliseconds on this machine: the fastest of several attempts. */
export function calibrate(milliseconds) {
  const sample = 1_000_000
  burn(sample)
  let quickest = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 20; attempt++) {
    const start = performance.now()
    burn(sample)
    quickest = Math.min(quickest, performance.now() - start)
  }
  return Math.round((sample / quickest) * milliseconds)
}
