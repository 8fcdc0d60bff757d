/** What the function of a batch receives: items from any producer, what schemas make of them, and their context. */
import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { batchActor, contextValue, current, Message } from '../../lib/index.js'
import { failure, stage } from '../support/memory.js'
import { address } from '../support/schemas.js'

const three = { size: 3, linger: '1h', storeResults: true, maxRetries: 0 } as const

t.test('an item is the first argument, or Python’s keyword arguments if there is no other', async (t) => {
  const { broker, work } = stage(t)
  const seen = batchActor(async (items: unknown[]) => items, { ...three, actorName: 'seen', broker })
  await work()
  const bodies = [{ args: [1, 2] }, { args: [], kwargs: { a: 1 } }, { args: [3], kwargs: { b: 2 } }]
  const messages = bodies.map((fields) => new Message({ queueName: 'default', actorName: 'seen', ...fields }))
  await broker.enqueueMany(messages)
  await broker.join(seen.queueName)
  const results = await Promise.all(messages.map((message) => broker.results?.get(message)))
  t.same(results, [1, { a: 1 }, 3])
})

t.test('items that a schema refuses fail alone, and the others run without them', async (t) => {
  const { broker, work } = stage(t)
  let throws = false
  const invite = batchActor(
    async function invite(names: string[]) {
      t.same(
        current().messages.map(({ args: [to] }) => to),
        ['ada@example.com', 'eve@example.com'],
      )
      if (throws) throw new Error('all others')
      return names.map((name) => `Dear ${name}`)
    },
    { ...three, broker, schema: address },
  )
  await work()
  const send = async (): Promise<Promise<unknown>[]> => {
    const messages = ['ada@example.com', 'bob', 'eve@example.com'].map(
      (to) => new Message({ queueName: 'default', actorName: 'invite', args: [to] }),
    )
    await broker.enqueueMany(messages)
    return messages.map(async (message) => broker.results?.get(message, { timeout: '20s' }))
  }
  const [ada, bob, eve] = await send()
  await t.rejects(bob as Promise<unknown>, failure('InvalidArguments', 'args\\[0\\]: expected an e-mail address'))
  t.same(await Promise.all([ada, eve]), ['Dear ada', 'Dear eve'])
  throws = true
  const [first, second, third] = await send()
  await t.rejects(second as Promise<unknown>, failure('InvalidArguments'))
  for (const one of [first, third]) await t.rejects(one as Promise<unknown>, failure('Error', 'all others'))
  await t.rejects(invite.send('bob'), { name: 'InvalidArguments' })
})

t.test('a batch has the context values that all of its messages carry', async (t) => {
  const { broker, work } = stage(t)
  const requestId = new AsyncLocalStorage<string>()
  const tenant = new AsyncLocalStorage<{ name: string }>()
  contextValue('batch.requestId', requestId)
  contextValue('batch.tenant', tenant)
  const where = batchActor(
    async function where(items: number[]) {
      await new Promise((resolve) => setImmediate(resolve))
      const found = { requestId: requestId.getStore() ?? null, tenant: tenant.getStore() ?? null }
      return items.map((_, index) => ({ ...found, own: current().messages[index]?.options.context ?? null }))
    },
    { ...three, broker },
  )
  await work()
  const send = (id: string, name: string) => requestId.run(id, () => tenant.run({ name }, () => where.send(1)))
  const same = await Promise.all([send('a', 'acme'), send('b', 'acme'), send('c', 'acme')])
  for (const [index, message] of same.entries()) {
    t.same(await message.result(), {
      requestId: null,
      tenant: { name: 'acme' },
      own: { 'batch.requestId': 'abc'[index], 'batch.tenant': { name: 'acme' } },
    })
  }
  const mixed = await Promise.all([send('a', 'acme'), send('a', 'other'), where.send(1)])
  for (const message of mixed) t.match(await message.result(), { requestId: null, tenant: null })
})
