/** The loop that keeps one queue's messages coming, before a broker of the test's own. */
import t, { type Test } from 'tap'
import type { Consumer, Delivery } from '../../lib/consumer.js'
import { BrokerClosed, BrokerError, InvalidOption } from '../../lib/errors.js'
import { ConsumerLoop, type ConsumerLoopOptions } from '../../lib/worker/consumer-loop.js'
import { captureLog } from '../support/log.js'
import { until } from '../support/memory.js'

type Take = (limit: number) => Promise<readonly Delivery[]> | readonly Delivery[]

interface Bench {
  readonly loop: ConsumerLoop
  /** The limits it asked for. */
  readonly asked: number[]
  readonly accepted: Delivery[]
}

/** As many deliveries as that. */
function some(count: number): Delivery[] {
  return Array.from({ length: count }, () => ({ queueName: 'q', body: '', deliveryCount: 1, priority: 0 }))
}

/** Waits until the event loop has had some turns. */
async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

function bench(t: Test, take: Take, options: Partial<ConsumerLoopOptions> = {}): Bench {
  const asked: number[] = []
  const accepted: Delivery[] = []
  const done = async (): Promise<void> => {}
  let closed: () => void = () => {}
  const closing = new Promise<readonly Delivery[]>((resolve) => {
    closed = () => resolve([])
  })
  const consumer: Consumer = {
    queueName: 'q',
    take: async (limit) => {
      asked.push(limit)
      const deliveries = await take(limit)
      return deliveries.length > 0 || asked.length > 100 ? deliveries : closing
    },
    begin: done,
    ack: done,
    deadLetter: done,
    requeue: done,
    close: async () => closed(),
  }
  const loop = new ConsumerLoop(consumer, {
    prefetch: 4,
    slots: 2,
    adaptive: false,
    isOver: () => false,
    accept: (delivery) => void accepted.push(delivery),
    ...options,
  })
  t.teardown(() => loop.stop())
  loop.start()
  return { loop, asked, accepted }
}

t.test('it holds no more than it may, and takes again when half of that is settled', async (t) => {
  const { loop, asked, accepted } = bench(t, some)
  await turns()
  t.same(asked, [4])
  loop.release()
  await turns()
  t.same(asked, [4], 'three in hand are enough')
  loop.release()
  await turns()
  t.same(asked, [4, 2])
  t.equal(accepted.length, 6)
})

t.test('it leaves nothing idle that could run, however little it may hold', async (t) => {
  const { loop, asked } = bench(t, some, { prefetch: 4, slots: 4 })
  await turns()
  loop.release()
  await turns()
  t.same(asked, [4, 1])
})

t.test('with a prefetch of one it takes one at a time', async (t) => {
  const { loop, asked } = bench(t, some, { prefetch: 1, slots: 8 })
  await turns()
  t.same(asked, [1])
  loop.release()
  await turns()
  t.same(asked, [1, 1])
})

t.test('a worker full of long messages takes no more than it runs, so that others can', async (t) => {
  const { loop, asked, accepted } = bench(t, some, { prefetch: 2, slots: 2, adaptive: true })
  await turns()
  t.equal(accepted.length, 2)
  // Nothing was settled for long when one is.
  const since = performance.now()
  await until(() => performance.now() - since > 120)
  t.equal(asked.length, 1, 'nothing is asked for while all slots are taken')
  loop.release()
  await until(() => accepted.length === 3)
  t.ok(loop.held <= 3, `it holds ${loop.held}`)
})

t.test('after a quick spell it never asks for less than nothing', async (t) => {
  const { loop, asked } = bench(t, some, { prefetch: 4, slots: 2, adaptive: true })
  // Messages that take no time: it comes to hold more and more.
  await until(async () => {
    while (loop.held > 1) loop.release()
    await turns(1)
    return loop.held > 200
  }, 'it to hold many')
  // Then it takes long until half of them are settled: what it may hold shrinks to less than it does.
  const before = asked.length
  const since = performance.now()
  await until(() => performance.now() - since > 100)
  while (asked.length === before && loop.held > 1) {
    loop.release()
    await turns(2)
  }
  t.ok(asked.length > before)
  t.ok(
    asked.every((limit) => limit > 0),
    `asked for ${asked.filter((limit) => limit <= 0)}`,
  )
})

t.test('whatever a broker throws, it logs it and asks again', async (t) => {
  const log = captureLog()
  const thrown: unknown[] = [new TypeError('no such property'), new InvalidOption('odd', 'odd'), 'a text']
  const { accepted } = bench(t, (limit) => {
    if (thrown.length > 0) throw thrown.shift()
    return some(limit)
  })
  await until(() => accepted.length > 0)
  t.match(log, [
    { level: 'warn', text: /Can't take messages from "q"/ },
    { level: 'info', text: /Taking messages from "q" again/ },
  ])
})

t.test('as long as nothing can be taken it says so again, and for how long that has been', async (t) => {
  const log = captureLog()
  let away = true
  const { accepted } = bench(
    t,
    (limit) => {
      if (away) throw new BrokerError('away')
      return some(limit)
    },
    { reminder: 20 },
  )
  await until(() => log.length >= 3)
  away = false
  await until(() => accepted.length > 0)
  t.match(log.slice(0, 3), [
    { level: 'warn', text: /^Can't take messages from "q"; trying again until it works/ },
    {
      level: 'warn',
      text: /^Can't take messages from "q", for \d+ ms now; trying/,
      fields: { err: { message: 'away' } },
    },
    { level: 'warn', text: /^Can't take messages from "q", for \d+ (ms|seconds?) now; trying/ },
  ])
  t.ok((log[2]?.fields.lasting as number) > (log[1]?.fields.lasting as number))
  t.match(log.at(-1), { level: 'info', text: /Taking messages from "q" again/ })
})

t.test('it ends when the broker is closed, whether that is thrown or only seen', async (t) => {
  captureLog()
  let over = false
  const seen = bench(t, () => [], { isOver: () => over })
  over = true
  await seen.loop.stop()
  const thrown = bench(t, () => {
    throw new BrokerClosed()
  })
  await turns()
  t.same(thrown.asked, [4])

  const spins = bench(t, () => [], { isOver: () => spins.asked.length > 100 })
  spins.asked.push(...Array.from({ length: 100 }, () => 0))
  await turns()
  t.ok(spins.asked.length < 103, 'no busy loop')
})
