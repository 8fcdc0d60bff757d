/** What a test can assert about the messages that its code sends. */
import { AssertionError } from 'node:assert'
import t, { type Test } from 'tap'
import { actor } from '../../lib/actor.js'
import { BrokerClosed } from '../../lib/errors.js'
import { type TestBroker, testBroker } from '../../testing/index.js'
import { captureLog } from '../support/log.js'

captureLog()

interface Order {
  id: number
  lines: { sku: string; count: number }[]
}

const sendEmail = actor(async (_to: string, _subject?: string) => {}, { actorName: 'sendEmail' })
const pack = actor(async (_order: Order) => {}, { actorName: 'pack' })

function open(t: Test): TestBroker {
  const broker = testBroker()
  t.teardown(() => broker.close())
  return broker
}

const order: Order = { id: 7, lines: [{ sku: 'a', count: 1 }] }

t.test('sends are listed in their order, with their delays; nothing runs', async (t) => {
  const broker = open(t)
  await sendEmail.send('ada@example.com')
  await pack.sendWithOptions({ args: [order], delay: '5m' })
  t.match(broker.sent, [
    { message: { actorName: 'sendEmail', args: ['ada@example.com'] }, delay: undefined },
    { message: { actorName: 'pack', args: [order] }, delay: 300_000 },
  ])
  t.match(await broker.stats('default'), { ready: 1, delayed: 1, inFlight: 0 })
})

t.test('arguments match in part: fewer arguments, fewer properties, expressions, gaps', async (t) => {
  const broker = open(t)
  await sendEmail.send('ada@example.com', 'Welcome, Ada')
  await pack.send(order)
  await broker.assertSent(sendEmail)
  await broker.assertSent(sendEmail, ['ada@example.com'])
  await broker.assertSent(sendEmail, [undefined, /welcome/i])
  await broker.assertSent(pack, [{ id: 7 }])
  await broker.assertSent(pack, [{ lines: [{ sku: 'a' }] }])
  broker.refuteSent(sendEmail, ['bob@example.com'])
  broker.refuteSent(sendEmail, [/^welcome/i])
  broker.refuteSent(pack, [{ id: 8 }])
  broker.refuteSent(pack, [{ lines: [] }])
  broker.refuteSent(pack, [{ lines: [{ sku: 'a' }, { sku: 'b' }] }])
})

t.test('a message that is sent later is waited for', async (t) => {
  const broker = open(t)
  const waiting = broker.assertSent(sendEmail, ['ada@example.com'], { within: '20s', count: 2 })
  await sendEmail.send('ada@example.com')
  await sendEmail.send('bob@example.com')
  await sendEmail.send('ada@example.com')
  t.equal((await waiting).length, 2)
})

t.test('what was sent is kept as it was, and matching messages are returned', async (t) => {
  const broker = open(t)
  const changed = structuredClone(order)
  await pack.sendWithOptions({ args: [changed], delay: '1m' })
  changed.id = 8
  t.match(await broker.assertSent(pack, [{ id: 7 }]), [{ message: { args: [order] }, delay: 60_000 }])
})

t.test('a failure is an AssertionError that says what was expected and what was sent', async (t) => {
  const broker = open(t)
  await t.rejects(broker.assertSent(sendEmail, ['ada@example.com'], { within: 0 }), {
    message: 'Expected a message as sendEmail("ada@example.com") within 0 ms; none was sent. Nothing was sent.',
  })
  await sendEmail.send('bob@example.com')
  await pack.sendWithOptions({ args: [order], delay: 5 })
  const error = await broker.assertSent(sendEmail, [/^ada/], { within: 5 }).catch((error: unknown) => error)
  t.ok(error instanceof AssertionError)
  t.match(error, { operator: 'assertSent', expected: [[/^ada/]], actual: [['bob@example.com']] })
  const frames = (error as Error).stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? []
  t.match(frames[0], 'sent.test.ts', 'the stack begins in the test')
  t.equal(
    (error as Error).message,
    'Expected a message as sendEmail("/^ada/") within 5 ms; none was sent. What was sent:\n' +
      '  sendEmail("bob@example.com")\n  pack({"id":7,"lines":[{"sku":"a","count":1}]}), delayed by 5 ms',
  )
})

t.test('a count is exact', async (t) => {
  const broker = open(t)
  await broker.assertSent(sendEmail, [], { count: 0 })
  await sendEmail.sendMany([['ada@example.com'], ['bob@example.com']])
  await broker.assertSent(sendEmail, [], { count: 2 })
  await t.rejects(broker.assertSent(sendEmail, [], { count: 1 }), { message: /Expected 1 message as .*; 2 were sent/ })
  await t.rejects(broker.assertSent(sendEmail, [], { count: 3, within: 1 }), { message: /3 messages as .*; 2 were/ })
})

t.test('refuteSent says what was sent', async (t) => {
  const broker = open(t)
  await sendEmail.send('ada@example.com')
  t.throws(() => broker.refuteSent(sendEmail), {
    name: 'AssertionError',
    message: 'Expected no message as sendEmail(…); one was sent. What was sent:\n  sendEmail("ada@example.com")',
  })
})

t.test('a refused or failed send is not among them', async (t) => {
  const broker = open(t)
  await t.rejects(sendEmail.send(Symbol('no') as never))
  broker.faults.loseConnection()
  await t.rejects(sendEmail.send('ada@example.com'))
  t.same(broker.sent, [])
})

t.test('messages of actors and callbacks are among them, retries are not', async (t) => {
  const broker = open(t)
  let failures = 1
  const sign = actor(
    async (to: string) => {
      if (failures-- > 0) throw new Error('not yet')
      await sendEmail.send(to)
    },
    { actorName: 'sign', onSuccess: pack, broker },
  )
  await sign.send('ada@example.com')
  await broker.drain()
  t.same(
    broker.sent.map(({ message }) => message.actorName),
    ['sign', 'sendEmail', 'pack'],
  )
})

t.test('closing the broker ends the waits', async (t) => {
  const broker = open(t)
  const waiting = [
    t.rejects(broker.assertSent(sendEmail, [], { within: '1h' }), BrokerClosed),
    t.rejects(broker.waitFor(sendEmail, 'succeeded', { within: '1h' }), BrokerClosed),
  ]
  await broker.close()
  await Promise.all(waiting)
  await t.rejects(broker.assertSent(sendEmail), BrokerClosed)
})
