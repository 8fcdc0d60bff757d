/** Registering context values, and what a message that is created has of them. */
import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor, contextValue, Message, Outcome, remoteActor, setBroker } from '../../lib/index.js'
import { refuses } from '../support/refuses.js'

const broker = new MemoryBroker()
setBroker(broker)
t.teardown(() => broker.close())

const add = actor(function add(a: number, b: number) {
  return a + b
})
const user = new AsyncLocalStorage<unknown>()

/** The context of a message that is created where the user is this one. */
function contextOf(value: unknown, create: () => Message = () => add.message(1, 2)): unknown {
  return user.run(value, create).options.context
}

t.test('a message has none when nothing is registered', async (t) => {
  t.same(add.message(1, 2).options, {})
})

t.test('arguments that are no context value are refused', async (t) => {
  await refuses(t, (name) => contextValue(name, user), [
    ['', /^Expected "name" to be a text, such as "requestId"; got ""\.$/],
    [undefined, /^Expected "name" to be a text.*got undefined/],
    [user, /"name" to be a text.*got an object \(AsyncLocalStorage\)/],
  ])
  await refuses(t, (source) => contextValue('user', source), [
    [
      undefined,
      /^Expected "source" to be an AsyncLocalStorage, or an object with the functions get and run; got undefined/,
    ],
    [AsyncLocalStorage, /got a function \(AsyncLocalStorage\)/],
    [{ get: () => 1 }, /got an object \(Object\), which has no run\.$/],
    [() => 'ann', /which has no get, run\.$/],
  ])
})

t.test('each way to create a message takes the value of that moment', async (t) => {
  contextValue('user', user as AsyncLocalStorage<string>)
  const remote = remoteActor<[number]>('elsewhere')
  const created = await user.run('ann', async () => [
    await add.send(1, 2),
    await add.sendWithOptions({ args: [1, 2], delay: '1h' }),
    ...(await add.sendMany([
      [1, 2],
      [3, 4],
    ])),
    add.message(1, 2),
    add.messageWithOptions({ args: [1, 2], maxRetries: 1 }),
    await remote.send(1),
  ])
  for (const { options } of created) t.match(options, { context: { user: 'ann' } })
  t.same(created[4]?.toWire().options, { context: { user: 'ann' } }, 'on the wire it is an option that Python ignores')
  await broker.enqueue(created[4] as Message)
  t.same(add.message(1, 2).options, {}, 'undefined is not sent')
  for (const value of [null, 0, '', false, { roles: ['admin'] }]) t.same(contextOf(value), { user: value })
})

t.test('a value that is no JSON is refused where it is sent, with its name', async (t) => {
  for (const [value, message] of [
    [
      { born: new Date() },
      /^context\.user\.born is a Date, which would arrive as something else.*send date\.toISOString/,
    ],
    [5n, "context.user is 5n: JSON can't carry it; send it as a string."],
    [Promise.resolve('ann'), /^context\.user is a Promise/],
  ] as const) {
    await t.rejects(
      user.run(value, () => add.send(1, 2)),
      { name: 'NotSerializable', message },
    )
  }
})

t.test('a source that fails to read its value fails the send, but no callback', async (t) => {
  const get = (): string => {
    throw new RangeError('no session')
  }
  contextValue('session', { get, run: (_, next) => next() })
  await t.rejects(add.send(1, 2), { name: 'RangeError', message: 'no session' })
  const finished = new Message({
    queueName: 'default',
    actorName: 'add',
    args: [1, 2],
    options: { context: { user: 'ann' } },
  })
  const outcome = new Outcome(finished, 3, undefined)
  outcome.call(broker, 'add', 'onSuccess', 1, 2)
  t.same(outcome.sends[0]?.message.options.context, { user: 'ann' })
  contextValue('session', { get: () => undefined, run: (_, next) => next() })
})

t.test('a name that is registered again is read from its new source', async (t) => {
  contextValue('user', { get: () => `${user.getStore()}!`, run: (_, next) => next() })
  t.same(contextOf('ann'), { user: 'ann!' })
  contextValue('user', user as AsyncLocalStorage<string>)
  t.same(contextOf('ann'), { user: 'ann' })
})

t.test('a context that is given with the message is sent as it is', async (t) => {
  const context = { user: 'bob', other: 1 }
  t.same(
    contextOf('ann', () => add.messageWithOptions({ args: [1, 2], options: { context } })),
    context,
  )
})

t.test('what follows a message gets its context, and not one of the moment', async (t) => {
  const first = user.run('ann', () => add.message(1, 2))
  const outcome = new Outcome(first, 3, undefined)
  user.run('somebody else', () => outcome.call(broker, 'add', 'onSuccess', 1, 2))
  outcome.send(add.message(1, 2))
  outcome.send(user.run('bob', () => add.message(1, 2)))
  outcome.send('no message' as never)
  t.same(
    outcome.sends.slice(0, 3).map(({ message }) => message.options.context),
    [{ user: 'ann' }, { user: 'ann' }, { user: 'bob' }],
  )
  const without = new Outcome(add.message(1, 2), 3, undefined)
  user.run('somebody else', () => without.call(broker, 'add', 'onSuccess', 1, 2))
  t.same(without.sends[0]?.message.options, {})
})
