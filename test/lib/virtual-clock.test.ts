import t from 'tap'
import { VirtualClock } from '../../lib/virtual-clock.js'

t.test('it runs with real time', async (t) => {
  const clock = new VirtualClock()
  const before = Date.now()
  t.ok(clock.now() >= before && clock.now() <= Date.now())
  const keepAlive = setInterval(() => {}, 1000)
  await new Promise<void>((resolve) => clock.setTimeout(resolve, 5))
  clearInterval(keepAlive)
  t.ok(clock.now() >= before + 5 - 1)
})

t.test('advance fires timers in order of due time, each at its own time', async (t) => {
  // The clock follows real time, which must not pass between reading it and setting a timer.
  const { now } = Date
  const standing = now()
  Date.now = () => standing
  t.teardown(() => {
    Date.now = now
  })
  const clock = new VirtualClock()
  const start = clock.now()
  const fired: [string, number][] = []
  const set = (name: string, due: number): unknown =>
    clock.setTimeout(() => fired.push([name, clock.now()]), start + due - clock.now())
  set('day', 86_400_000)
  set('minute', 60_000)
  set('hour', 3_600_000)
  set('minute too', 60_000)
  clock.clearTimeout(set('cancelled', 1000))

  await clock.advance(3_700_000)

  t.same(
    fired.map(([name]) => name),
    ['minute', 'minute too', 'hour'],
  )
  t.same(
    fired.map(([, at]) => at - start),
    [60_000, 60_000, 3_600_000],
  )
  t.ok(clock.now() >= start + 3_700_000)
  await clock.advance(86_400_000)
  t.equal(fired.at(-1)?.[0], 'day')
})

t.test('work that a timer starts finishes before the next timer fires', async (t) => {
  const clock = new VirtualClock()
  const log: string[] = []
  clock.setTimeout(async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    log.push('the consequence')
    clock.setTimeout(() => log.push('in between'), 10)
  }, 1000)
  clock.setTimeout(() => log.push('the next'), 2000)
  await clock.advance(3000)
  t.same(log, ['the consequence', 'in between', 'the next'])
})

t.test('a chain of timers fires in one advance', async (t) => {
  const clock = new VirtualClock()
  const start = clock.now()
  const at: number[] = []
  const again = (delay: number): unknown =>
    clock.setTimeout(async () => {
      at.push(clock.now() - start)
      await new Promise(setImmediate)
      if (at.length < 6) again(delay * 2)
    }, delay)
  again(1000)
  const tick = at.length
  await clock.advance(3_600_000)
  t.equal(tick, 0)
  const gaps = at.map((time, index) => time - (at[index - 1] ?? (at[0] as number) - 1000))
  t.same(gaps, [1000, 2000, 4000, 8000, 16_000, 32_000])
})

t.test('real time is not added during an advance', async (t) => {
  const clock = new VirtualClock()
  let fired = false
  clock.setTimeout(() => {
    fired = true
  }, 20)
  const seen: number[] = []
  clock.setTimeout(async () => {
    // Enough real time for the other timer to be due, if it were counted.
    while (seen.length < 5) {
      seen.push(clock.now())
      await new Promise(setImmediate)
    }
  }, 5)
  await clock.advance(10)
  t.equal(new Set(seen).size, 1)
  t.notOk(fired)
})

t.test('concurrent advances run one after the other', async (t) => {
  const clock = new VirtualClock()
  const log: string[] = []
  clock.setTimeout(() => log.push('first'), 1000)
  clock.setTimeout(() => log.push('second'), 2500)
  const one = clock.advance(2000).then(() => log.push('one'))
  const two = clock.advance(2000).then(() => log.push('two'))
  await Promise.all([one, two])
  t.same(log, ['first', 'one', 'second', 'two'])
})

t.test('it waits for work elsewhere as long as that reports activity', async (t) => {
  let steps = 0
  let busy = true
  const clock = new VirtualClock({ progress: () => steps, busy: () => busy })
  const log: string[] = []
  clock.setTimeout(() => {
    const work = setInterval(() => {
      if (++steps < 5) return
      clearInterval(work)
      busy = false
      log.push('done')
    }, 5)
  }, 1000)
  clock.setTimeout(() => log.push('next'), 2000)
  await clock.advance(3000)
  t.same(log, ['done', 'next'])
})

t.test('it stops waiting for work that reports no activity', async (t) => {
  const clock = new VirtualClock({ progress: () => 0, busy: () => true })
  let fired = false
  clock.setTimeout(() => {
    fired = true
  }, 1000)
  await clock.advance(2000)
  t.ok(fired)
})

t.test('thousands of timers that are set and cancelled leave no memory in use', async (t) => {
  const clock = new VirtualClock()
  let fired = 0
  for (let count = 0; count < 10_000; count++) clock.clearTimeout(clock.setTimeout(() => fired++, 600_000))
  const kept = clock.setTimeout(() => fired++, 600_000)
  await clock.advance(700_000)
  t.equal(fired, 1)
  clock.clearTimeout(kept)
  clock.clearTimeout(undefined)
})

t.test('it tells when the next timer is due, cancelled ones aside', async (t) => {
  const clock = new VirtualClock()
  t.equal(clock.untilNext, undefined)
  const first = clock.setTimeout(() => {}, 1000)
  clock.setTimeout(() => {}, 600_000)
  t.ok((clock.untilNext as number) <= 1000)
  clock.clearTimeout(first)
  t.ok((clock.untilNext as number) > 500_000)
  await clock.advance(clock.untilNext as number)
  t.equal(clock.untilNext, undefined)
})

t.test('an error in a timer rejects the advance; the clock keeps working', async (t) => {
  const clock = new VirtualClock()
  clock.setTimeout(() => {
    throw new Error('in a timer')
  }, 1000)
  const start = clock.now()
  await t.rejects(clock.advance(2000), new Error('in a timer'))
  t.ok(clock.now() >= start + 2000)
  await clock.advance(1000)
})
