/** Batches that are interrupted: by a limit, one by one, by a shutdown, or with their thread. */
import t from 'tap'
import { Interrupt } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import { interrupt } from '../../lib/worker/interrupt.js'
import type { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/batches.js'
import { broker, lists, waitOptions, work } from '../support/batch-workers.js'
import { failure, until } from '../support/memory.js'

class Cancelled extends Interrupt {}

/** The worker's own objects for the messages, once it has them all. */
async function running(worker: Worker, messages: readonly Message[]): Promise<Message[]> {
  const find = (): (Message | undefined)[] =>
    messages.map(({ messageId }) => [...worker.messages].find((one) => one.messageId === messageId))
  await until(() => !find().includes(undefined))
  return find() as Message[]
}

for (const threads of [0, 1]) {
  const where = threads === 0 ? 'inline' : 'on threads'

  t.test(`${where} a batch has one time limit, that of its strictest message, and all fail with it`, async (t) => {
    await work(t, { threads })
    for (const items of [lists(1, 2), lists(0, 1)]) {
      const messages = await actors.stopped.sendMany(items)
      const strict = await actors.stopped.sendWithOptions({ args: [3], timeLimit: 30 })
      for (const message of [...messages, strict])
        await t.rejects(message.result(waitOptions), failure('TimeLimitExceeded', 'its time limit of 30 ms.'))
    }
  })

  t.test(`${where} a message that is interrupted ends alone, before its batch starts and while it runs`, async (t) => {
    const worker = await work(t, { threads })
    const [first, second] = await actors.naps.sendMany(lists(200))
    t.equal(second, undefined)
    const [gathering] = await running(worker, [first as Message])
    interrupt(gathering as Message, new Cancelled('before'), { grace: 1 })
    await t.rejects(async () => first?.result(waitOptions), failure('Cancelled', 'before'))
    const messages = await actors.naps.sendMany(lists(300, 300))
    const [one] = await running(worker, messages)
    interrupt(one as Message, new Cancelled('while it runs'), { grace: 1 })
    await t.rejects(async () => messages[0]?.result(waitOptions), failure('Cancelled', 'while it runs'))
    t.equal(await messages[1]?.result(waitOptions), false, 'the other isn’t disturbed')
  })

  t.test(`${where} a batch of which all messages are interrupted is interrupted itself`, async (t) => {
    const worker = await work(t, { threads, concurrency: 1 })
    const messages = await actors.stopped.sendMany(lists(1, 2, 3), { timeLimit: null })
    for (const message of await running(worker, messages)) interrupt(message, new Cancelled('all'), { grace: 5000 })
    for (const message of messages) await t.rejects(message.result(waitOptions), failure('Cancelled', 'all'))
    const found = await actors.full.sendMany(lists(1, 2, 3, 4))
    t.ok(await found[0]?.result(waitOptions), 'and its slot is free')
  })

  t.test(`${where} a shutdown aborts the signal of a batch, and its messages return to their queue`, async (t) => {
    const worker = await work(t, { threads })
    const messages = await actors.stopped.sendMany(lists(1, 2, 3), { timeLimit: null })
    await running(worker, messages)
    await worker.stop({ timeout: 1 })
    t.match(await broker.stats('default'), { ready: 3, inFlight: 0, dead: 0 })
  })
}

t.test('a batch that never ends has its thread replaced: all of it fail, and the neighbours run again', async (t) => {
  for (const items of [lists(0, 0), lists(1, 1)]) {
    await t.test(items[0]?.[0] === 0 ? 'before an await' : 'after an await', async (t) => {
      await work(t, { threads: 1 })
      const neighbour = await actors.nap.send(800)
      await until(async () => (await broker.stats('default')).inFlight === 1)
      for (const message of await actors.spins.sendMany(items))
        await t.rejects(message.result(waitOptions), failure('TimeLimitExceeded'))
      t.type(await neighbour.result(waitOptions), 'number')
    })
  }
})

t.test('a batch whose thread ends fails as a whole', async (t) => {
  await work(t, { threads: 1 })
  for (const message of await actors.leaves.sendMany(lists(1, 2)))
    await t.rejects(message.result(waitOptions), failure('WorkerThreadLost', /code 3/))
  const found = await actors.full.sendMany(lists(1, 2, 3, 4))
  t.ok(await found[0]?.result(waitOptions), 'and the worker goes on')
})
