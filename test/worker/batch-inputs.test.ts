/** What the function of a batch receives: items from any producer, and what schemas make of them. */
import t from 'tap'
import { batchActor, current, Message } from '../../lib/index.js'
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
