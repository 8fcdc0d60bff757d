/** Arguments of actors with a `schema`, where the actor runs. */
import t from 'tap'
import { InvalidArguments, Message } from '../../lib/index.js'
import { failure, stage, until } from '../support/memory.js'
import { address, schemaOf } from '../support/schemas.js'

t.test('the function receives what the schema makes of its arguments', async (t) => {
  const { actor, work } = stage(t)
  const options = { storeResults: true } as const
  const invite = actor((to: string) => `Dear ${to}`, { actorName: 'invite', schema: address, ...options })
  const later = schemaOf<string, string>(async (value) => ({ value: `${value}!` }))
  const shout = actor((text: string) => text, { actorName: 'shout', schema: later, ...options })
  await work()
  t.equal(await (await invite.send('ada@example.com')).result(), 'Dear ada')
  t.equal(await (await shout.send('Ada')).result(), 'Ada!')
})

t.test('arguments that it refuses are dead-lettered with the issues, without a retry', async (t) => {
  const { broker, actor, work } = stage(t)
  const failures: unknown[] = []
  const report = actor((_message: unknown, { type }: { type: string }) => void failures.push(type), {
    actorName: 'report',
    queueName: 'reports',
  })
  let runs = 0
  actor((_to: string) => void runs++, {
    actorName: 'invite',
    schema: address,
    storeResults: true,
    retryWhen: () => true,
    onFailure: report,
  })
  await work()
  const message = new Message({ queueName: 'default', actorName: 'invite', args: ['ada'] })
  await broker.enqueue(message)
  await t.rejects(
    async () => broker.results?.get(message),
    failure('InvalidArguments', 'args\\[0\\]: expected an e-mail address'),
  )
  await broker.join('default')
  await broker.join('reports')
  const { letters } = await broker.deadLetters('default')
  t.match(
    letters[0]?.reason,
    /^InvalidArguments: The actor "invite" can't take these arguments\. args\[0\]: expected an e-mail/,
  )
  t.equal(runs, 0)
  t.same(failures, ['InvalidArguments'])
})

t.test('what a schema throws is a failure like any other, and retried', async (t) => {
  const { broker, actor, work } = stage(t)
  let calls = 0
  const flaky = schemaOf<string>(() => {
    calls++
    if (calls === 2) throw new Error('no database')
    return { value: 'found' }
  })
  const seen: string[] = []
  const find = actor((found: string) => void seen.push(found), { actorName: 'find', schema: flaky, minBackoff: 1 })
  await work()
  await find.send('it')
  await broker.join('default')
  t.same(seen, ['found'])
  t.equal(calls, 3, 'once for the send, and once for each attempt')
})

t.test('transformations are made of what was sent, at each attempt', async (t) => {
  const { broker, actor, work } = stage(t)
  const seen: unknown[] = []
  const invite = actor(
    (to: string) => {
      seen.push(to)
      if (seen.length < 3) throw new Error('not yet')
    },
    { actorName: 'invite', schema: address, minBackoff: 1 },
  )
  await work()
  await invite.send('ada@example.com')
  await broker.join('default')
  t.same(seen, ['ada', 'ada', 'ada'])
})

t.test('a callback whose schema refuses its arguments is dead-lettered, and the message itself is done', async (t) => {
  const { broker, actor, work } = stage(t)
  actor((_message: string) => {}, { actorName: 'celebrate', queueName: 'callbacks', schema: address })
  const hello = actor(() => 1, { actorName: 'hello', onSuccess: 'celebrate', storeResults: true })
  await work()
  t.equal(await (await hello.send()).result(), 1)
  await until(async () => (await broker.stats('callbacks')).dead === 1, 'the dead letter')
  t.match(await broker.stats('default'), { dead: 0 })
})

t.test('plugins around the actor see the error', async (t) => {
  const { broker, actor, work } = stage(t)
  const seen: unknown[] = []
  broker.use({
    async aroundActor(_message: Message, next: () => Promise<unknown>) {
      return next().catch((error) => {
        seen.push(error)
        throw error
      })
    },
  })
  actor((_to: string) => {}, { actorName: 'invite', schema: address })
  await work()
  await broker.enqueue(new Message({ queueName: 'default', actorName: 'invite', args: [] }))
  await broker.join('default')
  t.ok(seen[0] instanceof InvalidArguments)
})
