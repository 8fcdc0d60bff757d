/** Cancellations of and by actors on threads, with a broker that threads can't reach. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import { cancels, cancelsItself, cancelsItsOwn, listen, spin } from '../support/actors/cancelled.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'

captureLog()
const broker = new MemoryBroker()
setBroker(broker)
t.teardown(() => broker.close())
const modules = [new URL('../support/actors/cancelled.ts', import.meta.url).href]
const patience = { timeout: '50s' } as const

t.test('actors on threads', { timeout: 120_000 }, async (t) => {
  const worker = new Worker(broker, { threads: 2, concurrency: 4, modules })
  t.teardown(() => worker.stop({ timeout: 0 }))
  await worker.start()
  const runs = (id: string): boolean => [...worker.messages].some(({ messageId }) => messageId === id)

  t.test('an actor cancels another message by its id', async (t) => {
    const target = await listen.send('target')
    await until(() => runs(target.messageId))
    t.equal(await (await cancels.send(target.messageId)).result(patience), 'cancelling')
    await t.rejects(target.result(patience), failure('CancelledError', 'from a thread'))
    t.equal(await (await cancels.send('no-such-id')).result(patience), 'unknown')
  })

  t.test('an actor cancels what it has sent', async (t) => {
    const [answer, id, others] = (await (await cancelsItsOwn.send()).result(patience)) as [string, string, number]
    t.equal(answer, 'cancelled')
    t.equal(others, 0)
    await broker.join('default', patience)
    t.not((await broker.state?.readSet('cancellations'))?.includes(id), 'it has ended')
  })

  t.test('an actor cancels itself', async (t) => {
    await t.rejects((await cancelsItself.send()).result(patience), failure('CancelledError', 'myself'))
  })

  t.test('an endless loop is terminated', async (t) => {
    const message = await spin.send('loop')
    await until(() => runs(message.messageId))
    t.equal(await message.cancel(), 'cancelling')
    await t.rejects(message.result(patience), failure('CancelledError'))
    await broker.join('default', patience)
    t.same(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
  })
})
