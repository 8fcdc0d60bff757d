import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import type { WorkerOptions } from '../../lib/worker/worker-options.js'
import * as actors from '../support/actors/threaded.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'

// The actors bind once, to the broker that is the default when they are first used; so all tests share one.
const broker = new MemoryBroker()
setBroker(broker)
const log = captureLog()
t.teardown(() => broker.close())

const modules = [new URL('../support/actors/threaded.ts', import.meta.url).href]

async function work(t: Test, options: WorkerOptions = {}): Promise<Worker> {
  const worker = new Worker(broker, { threads: 1, concurrency: 8, modules, ...options })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  return worker
}

const waitOptions = { timeout: '20s' } as const

t.test('actors run on threads, with current() there', async (t) => {
  await work(t, { threads: 2 })
  const messages = await actors.whereAmI.sendMany(Array.from({ length: 50 }, () => []))
  const threads = new Set<number>()
  for (const message of messages) {
    const { isMainThread, threadId, messageId } = await message.result(waitOptions)
    t.equal(messageId, message.messageId)
    t.equal(isMainThread, false)
    threads.add(threadId)
  }
  t.equal(threads.size, 2, 'spread over both')
})

for (const [name, actor] of Object.entries({ spin: actors.spin, spinLater: actors.spinLater, hang: actors.hang })) {
  t.test(`a time limit holds for an actor that never returns (${name}); its thread is replaced`, async (t) => {
    await work(t, { concurrency: 1 })
    const message = await actor.send()
    await t.rejects(message.result(waitOptions), failure('TimeLimitExceeded'))
    const { threadId } = await (await actors.whereAmI.send()).result(waitOptions)
    t.ok(threadId > 0, 'others run after it')
  })
}

t.test('an actor that heeds its signal keeps its thread', async (t) => {
  await work(t, { concurrency: 1 })
  const before = await (await actors.whereAmI.send()).result(waitOptions)
  await t.rejects((await actors.heed.send()).result(waitOptions), failure('TimeLimitExceeded'))
  const after = await (await actors.whereAmI.send()).result(waitOptions)
  t.equal(after.threadId, before.threadId)
})

t.test('the neighbours of a message whose thread is terminated run again, with no attempt counted', async (t) => {
  await work(t, { concurrency: 4 })
  const neighbours = await actors.nap.sendMany([[800], [800]])
  await until(async () => (await broker.stats('default')).inFlight === 2)
  const culprit = await actors.spin.send()
  await t.rejects(culprit.result(waitOptions), failure('TimeLimitExceeded'))
  for (const message of neighbours) t.type(await message.result(waitOptions), 'number')
  t.equal((await broker.stats('default')).dead, 1, 'only the culprit is dead')
})

t.test('the time in which another message blocks the thread does not count against a limit', async (t) => {
  await work(t, { concurrency: 4 })
  // Handed over in one batch: the second can't start before the first is through, long after its own limit.
  const [blocking] = [await actors.block.message(1500)]
  const waiting = actors.briefly.message()
  await broker.enqueueMany([blocking, waiting])
  t.equal(await waiting.result(waitOptions), 'done')
  t.type(await blocking.result(waitOptions), 'number')
})

t.test('an actor that eats memory kills its thread, not the worker, and fails as WorkerThreadLost', async (t) => {
  await work(t, { concurrency: 1, resourceLimits: { maxOldGenerationSizeMb: 64 } })
  await t.rejects((await actors.hoard.send()).result(waitOptions), failure('WorkerThreadLost', /out of memory/))
  t.ok(await (await actors.whereAmI.send()).result(waitOptions))
})

t.test('an actor that calls process.exit() ends its thread only', async (t) => {
  await work(t, { concurrency: 1 })
  await t.rejects((await actors.leave.send()).result(waitOptions), failure('WorkerThreadLost', /code 3/))
  t.ok(await (await actors.whereAmI.send()).result(waitOptions))
})

t.test(
  'an exception outside of the actor’s promise fails the message that caused it; the neighbours run again',
  async (t) => {
    await work(t, { concurrency: 4 })
    const neighbour = await actors.nap.send(500)
    await until(async () => (await broker.stats('default')).inFlight === 1)
    const culprit = await actors.throwOutside.send()
    await t.rejects(culprit.result(waitOptions), failure('RangeError', 'from a timer'))
    t.type(await neighbour.result(waitOptions), 'number')
  },
)

t.test('errors keep their name, fields and cause across threads, and `throws` knows them', async (t) => {
  await work(t)
  const message = await actors.order.send()
  await t.rejects(message.result(waitOptions), failure('OutOfStock', 'none left'))
  const { letters } = await broker.deadLetters('default')
  t.match(letters.at(-1)?.traceback, /Caused by TypeError: count is 0\nOutOfStock: none left\n$/)
  t.match(letters.at(-1)?.reason, /not to be retried/)
})

t.test('Retry works from a thread', async (t) => {
  await work(t)
  t.equal(await (await actors.again.send()).result(waitOptions), 1)
})

t.test('a result that cannot leave its thread fails its message alone, and only where it is wanted', async (t) => {
  await work(t)
  const [odd, fine] = [actors.oddResult.message(), actors.whereAmI.message()]
  await broker.enqueueMany([odd, fine, actors.unwantedOddResult.message()])
  await t.rejects(odd.result(waitOptions), failure('NotSerializable'))
  t.ok(await fine.result(waitOptions))
  await broker.join('default', waitOptions)
  t.equal((await broker.stats('default')).dead, 1)
})

t.test('an actor on a thread sends to a MemoryBroker, and waits for results, through the main thread', async (t) => {
  await work(t)
  t.equal(await (await actors.forward.send(21)).result(waitOptions), 42)
})

t.test('an actor on a thread that waits for a failure catches what the main thread would', async (t) => {
  await work(t)
  const caught = await (await actors.forwardFailure.send()).result(waitOptions)
  t.match(caught, { known: true, type: 'OutOfStock', reason: 'none left', traceback: /OutOfStock: none left\n$/ })
})

t.test('when the worker stops, what still runs goes back to the queue uncounted', async (t) => {
  const worker = await work(t, { concurrency: 1 })
  const message = await actors.nap.send(60_000)
  const waiting = await actors.nap.send(60_000)
  await until(() => [...worker.messages].length === 1)
  await worker.stop({ timeout: 50 })
  t.match(await broker.stats('default'), { ready: 2, inFlight: 0, dead: 0 })
  const consumer = broker.consume('default')
  const deliveries = await consumer.take(10)
  t.same(
    deliveries.map(({ deliveryCount }) => deliveryCount),
    [1, 1],
  )
  await consumer.close()
  t.ok(message && waiting)
})

t.test('a module that does not load stops the worker with its error', async (t) => {
  const missing = new Worker(broker, { threads: 1, modules: ['./no/such/module.js'] })
  await t.rejects(missing.start(), { name: 'ModuleLoadError', message: /no\/such\/module\.js/ })
  await missing.stop()
  t.ok(log)
})
