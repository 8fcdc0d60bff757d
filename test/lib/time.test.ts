import t from 'tap'
import { show } from '../../lib/checks.js'
import { InvalidOption } from '../../lib/errors.js'
import {
  backoff,
  longestBackoff,
  parseDuration,
  pause,
  settlesWithin,
  startInterval,
  startTimer,
  systemClock,
} from '../../lib/time.js'
import { readVectors } from '../vectors.js'

interface BackoffCase {
  attempts: number
  factor: number
  max_backoff: number
  without_jitter: number
  observed_min: number
  observed_max: number
}

const { cases } = readVectors<BackoffCase>('backoff')

t.test("backoff: every delay lies within the bounds of Dramatiq's curve", async (t) => {
  for (const { attempts, factor, max_backoff: max, observed_min, observed_max } of cases) {
    const base = factor * 2 ** Math.min(attempts, 32)
    // A delay above the maximum is random in its upper half; at the boundary both can happen.
    const low = base * 2 > max ? Math.min(base, Math.trunc(max / 2)) : base
    const high = Math.min(base * 2, max)
    for (let draw = 0; draw < 2000; draw++) {
      const delay = backoff(attempts, { factor, max })
      if (!(Number.isInteger(delay) && delay >= low && delay <= high))
        t.fail(`${delay} for ${attempts}, ${factor}, ${max}`)
    }
    t.ok(observed_min >= low && observed_max <= high, `Python drew ${observed_min} to ${observed_max}`)
  }
})

t.test('backoff: the lowest and highest random values give the bounds of the range', async (t) => {
  for (const { attempts, factor, max_backoff: max, without_jitter } of cases) {
    const base = factor * 2 ** Math.min(attempts, 32)
    const least = backoff(attempts, { factor, max, random: () => 0 })
    if (base > max) t.equal(least, max / 2)
    else t.equal(least, without_jitter)
    t.equal(backoff(attempts, { factor, max, jitter: false }), without_jitter)
    const most = backoff(attempts, { factor, max, random: () => 1 - Number.EPSILON })
    if (base * 2 > max) t.equal(most, max - 1)
    else t.equal(most, base * 2 - 1)
  }
})

t.test('backoff: the exponent stops at 32, the delay at the maximum', async (t) => {
  const half = (): number => 0.5
  t.equal(backoff(0, { factor: 15_000, max: longestBackoff, random: half }), 22_500)
  t.equal(backoff(3, { factor: 15_000, max: longestBackoff, random: half }), 180_000)
  t.equal(backoff(10_000, { factor: 1, max: 2 ** 40, random: half }), 1.5 * 2 ** 32)
  t.equal(backoff(10_000, { factor: 15_000, max: longestBackoff, random: half }), 0.75 * longestBackoff)
  t.equal(longestBackoff, parseDuration('7d', 'max'))
})

t.test('durations: milliseconds and strings that ms parses', async (t) => {
  const readable: [unknown, number][] = [
    [0, 0],
    [1500, 1500],
    [1.4, 1],
    ['15s', 15_000],
    ['5m', 300_000],
    ['2 hours', 7_200_000],
    ['7d', 604_800_000],
    ['250', 250],
    ['0.5s', 500],
  ]
  for (const [value, milliseconds] of readable) t.equal(parseDuration(value, 'delay'), milliseconds)
})

t.test('durations: an invalid value is refused, with the name of its option', async (t) => {
  const unreadable = ['', 'soon', '-5s', -1, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, {}, [], true, 5n]
  for (const value of [...unreadable, `${'9'.repeat(101)}`]) {
    t.throws(() => parseDuration(value, 'minBackoff'), { constructor: InvalidOption, message: /"minBackoff"/ })
  }
  t.throws(() => parseDuration('soon', 'minBackoff'), { message: /"minBackoff".*"15s".*got "soon"/ })
})

t.test('values are shown in short form, with their type', async (t) => {
  const shown: [unknown, string][] = [
    ['5', '"5"'],
    [5, '5'],
    [5n, '5n'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[1, 2], 'an array of 2'],
    [new Date(0), 'an object (Date)'],
    [Object.create(null), 'an object (no prototype)'],
    [function named() {}, 'a function (named)'],
    ['x'.repeat(100), `"${'x'.repeat(80)}…"`],
  ]
  for (const [value, text] of shown) t.equal(show(value), text)
})

/** Node's timers, as far as they are needed, with a time that the test sets. */
function fakeTimers(t: { teardown(ends: () => void): void }): { readonly now: number; runAll(): void } {
  const { setTimeout: real } = globalThis
  let now = 0
  const waiting: { due: number; callback: () => void }[] = []
  globalThis.setTimeout = ((callback: () => void, delay: number) => {
    // As Node does with a delay that is too long.
    const wait = delay > 0 && delay <= 2 ** 31 - 1 ? Math.trunc(delay) : 1
    const start = (): number => waiting.push({ due: now + wait, callback })
    start()
    return { refresh: start }
  }) as unknown as typeof setTimeout
  t.teardown(() => {
    globalThis.setTimeout = real
  })
  const runAll = (): void => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      now = next.due
      next.callback()
    }
  }
  return {
    get now() {
      return now
    },
    runAll,
  }
}

t.test('a timer may be of any length', async (t) => {
  const time = fakeTimers(t)
  for (const delay of [
    20,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    parseDuration('30d', 'delay'),
    parseDuration('365d', 'delay'),
  ]) {
    const begun = time.now
    let fired = 0
    startTimer(() => {
      fired++
    }, delay)
    time.runAll()
    t.equal(fired, 1)
    // It may be early, because its parts are rounded down.
    t.ok(Math.abs(time.now - begun - delay) < 20, `${time.now - begun} of ${delay}`)
  }
})

t.test('unlimited durations are longer than any other', async (t) => {
  const longest = parseDuration(Number.MAX_SAFE_INTEGER, 'delay')
  t.equal(parseDuration(Number.MAX_VALUE, 'delay'), longest)
  t.ok(longest > 1000 * parseDuration('10y', 'delay'))
  t.ok(Number.isSafeInteger(Date.now() + longest))
  t.ok(new Date(Date.now() + longest).getTime() > 0)
  for (const delay of [longest, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
    let fired = false
    const timer = startTimer(() => {
      fired = true
    }, delay)
    await pause(5)
    t.notOk(fired)
    clearTimeout(timer)
  }
})

t.test('an interval longer than the longest timer is as long as the longest timer', async (t) => {
  let times = 0
  const interval = startInterval(
    () => {
      times++
    },
    parseDuration('365d', 'interval'),
  )
  await pause(20)
  clearInterval(interval)
  t.equal(times, 0)
})

t.test('atMost stops waiting after its time, and passes on an earlier failure', async (t) => {
  t.equal(await settlesWithin(parseDuration('365d', 'patience'), Promise.resolve()), true)
  t.equal(await settlesWithin(1, new Promise(() => {})), false)
  await t.rejects(settlesWithin(1000, Promise.reject(new Error('no'))), { message: 'no' })
})

t.test("the system clock supports timers longer than Node's, and clears them", async (t) => {
  let fired = false
  const timer = systemClock.setTimeout(() => {
    fired = true
  }, 3_000_000_000)
  // Node fires a timer that is too long after 1 ms; a later one shows that this one didn't.
  await new Promise((resolve) => setTimeout(resolve, 5))
  t.notOk(fired)
  systemClock.clearTimeout(timer)
  systemClock.clearTimeout(undefined)
  t.ok(Math.abs(systemClock.now() - Date.now()) < 1000)
})
