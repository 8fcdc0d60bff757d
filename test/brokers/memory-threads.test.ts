/** The memory store is in the main thread, and all threads share it. */
import t from 'tap'
import { MemoryBroker, MemoryRateLimits } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Barrier } from '../../lib/rate-limits/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'

captureLog()
const broker = new MemoryBroker()
setBroker(broker)
const { grab, made, meet, relay, relayFailure, results } = await import('../support/actors/memory.js')
const limits = new MemoryRateLimits({ name: 'threads' })
const modules = [new URL('../support/actors/memory.ts', import.meta.url).href]
const patience = { timeout: '20s' } as const

t.before(async () => {
  const worker = new Worker(broker, { threads: 2, concurrency: 4, modules })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.close()
  })
  await worker.start()
})

t.test('a rate limit holds over all threads', async (t) => {
  const messages = await grab.sendMany(Array.from({ length: 8 }, () => []))
  const granted = await Promise.all(messages.map((message) => message.result(patience)))
  t.equal(granted.filter(Boolean).length, 2)
})

t.test('threads meet at a barrier', async (t) => {
  await new Barrier(limits, 'meeting').create(6)
  const messages = await meet.sendMany(Array.from({ length: 6 }, () => []))
  const met = await Promise.all(messages.map((message) => message.result(patience)))
  t.ok(met.every(({ all }) => all))
  t.equal(new Set(met.map(({ threadId }) => threadId)).size, 2)
})

t.test('threads read and store results in memory', async (t) => {
  const message = await relay.send('question', 'answer')
  await results.storeResult(made('question'), { deep: ['ü'] }, 60_000)
  t.same(await message.result(patience), { deep: ['ü'] })
  t.same(await results.get(made('answer'), { timeout: 0 }), { deep: ['ü'] })
})

t.test('threads read and store failures in memory, with their traceback', async (t) => {
  const message = await relayFailure.send('bad question', 'bad answer')
  const failure = { type: 'RangeError', message: 'too deep', traceback: 'at there\nRangeError: too deep\n' }
  await results.storeFailure(made('bad question'), failure, 60_000)
  await message.result(patience)
  const { type, traceback } = failure
  const error = await results.get(made('bad answer'), { timeout: 0 }).catch((error: unknown) => error)
  t.match(error, { name: 'ResultFailure', type, reason: 'too deep', traceback })
})
