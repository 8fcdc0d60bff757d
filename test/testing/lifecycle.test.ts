/** Test brokers come and go: the default broker, two at a time, the end of a test. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor } from '../../lib/actor.js'
import { getBroker, setBroker } from '../../lib/default-broker.js'
import { BrokerClosed, InvalidOption } from '../../lib/errors.js'
import { testBroker } from '../../testing/index.js'
import { captureLog } from '../support/log.js'
import { openTestBroker } from '../support/test-broker.js'

captureLog()

const greet = actor(async (name: string) => `Hello, ${name}`, { actorName: 'greet', storeResults: true })

t.test('it is the default broker until it is closed; then the one before is', async (t) => {
  const before = new MemoryBroker()
  t.teardown(() => before.close())
  setBroker(before)
  const broker = testBroker()
  t.equal(getBroker(), broker)
  await greet.send('Ada')
  await broker.assertSent(greet, ['Ada'])
  await broker.close()
  t.equal(getBroker(), before)
  await greet.send('Bob')
  t.match(await before.stats('default'), { ready: 1 })
})

t.test('it leaves a default broker alone that was set since', async (t) => {
  const [first, second] = [testBroker(), testBroker()]
  await first.close()
  t.equal(getBroker(), second)
  await second.close()
  t.equal(getBroker(), second, 'the one before is closed')
  await t.rejects(greet.send('Ada'), BrokerClosed)
})

t.test('with setDefault: false the default broker stays', async (t) => {
  const first = testBroker()
  const second = testBroker({ setDefault: false })
  t.equal(getBroker(), first)
  await second.close()
  await first.close()
})

t.test('two test brokers do not disturb each other', async (t) => {
  const [one, two] = [openTestBroker(t), openTestBroker(t)]
  const runs: string[] = []
  const declare = ({ actor }: typeof one, name: string) =>
    actor(async (fail: boolean) => (fail ? Promise.reject(new Error(name)) : void runs.push(name)), {
      actorName: 'job',
      maxRetries: 0,
    })
  const [first, second] = [declare(one, 'one'), declare(two, 'two')]
  one.broker.faults.loseConnection()
  await second.send(false)
  await Promise.all([two.broker.drain(), two.broker.advance('1h')])
  t.same(runs, ['two'])
  one.broker.faults.restoreConnection()
  await first.send(true)
  one.broker.refuteSent(first, [false])
  t.ok(two.broker.clock.now() >= one.broker.clock.now() + 3_500_000)
  await Promise.all([t.rejects(one.broker.drain(), { message: /job\(true\): Error: one/ }), two.broker.drain()])
  await one.broker.close()
  await second.send(false)
  await two.broker.drain()
  t.same(runs, ['two', 'two'])
})

t.test('actors that are declared later, on other queues, run as well', async (t) => {
  const { broker, actor } = openTestBroker(t)
  await broker.drain()
  const runs: string[] = []
  const declare = (name: string) => actor(async () => void runs.push(name), { actorName: name, queueName: name })
  await declare('early').send()
  await broker.drain()
  const parent = actor(async () => void (await declare('late').send()), { actorName: 'parent' })
  await parent.send()
  await broker.drain()
  t.same(runs, ['early', 'late'])
})

t.test('it closes at the end of its scope, and twice', async (t) => {
  const broker = testBroker()
  await broker[Symbol.asyncDispose]()
  t.equal(broker.closed, true)
  await broker.close()
  await t.rejects(broker.drain(), BrokerClosed)
  await t.rejects(broker.advance('1s'), BrokerClosed)
})

t.test('invalid options are refused', async (t) => {
  t.throws(() => testBroker({ concurency: 1 } as object), { message: /did you mean "concurrency"/ })
  t.throws(() => testBroker({ concurrency: 0 }), InvalidOption)
  t.throws(() => testBroker({ setDefault: 'no' as never }), InvalidOption)
  const { broker, actor: declare } = openTestBroker(t)
  const own = declare(async (name: string) => name, { actorName: 'own' })
  await t.rejects(broker.assertSent(greet, [], { withn: 1 } as object), { message: /did you mean "within"/ })
  await t.rejects(broker.assertSent(greet, [], { count: -1 }), InvalidOption)
  await t.rejects(broker.waitFor(greet, 'done' as never), { message: /"end".*'succeeded'/ })
  await t.rejects(broker.perform(own, ['Ada'], { attempt: 0 }), InvalidOption)
  await t.rejects(broker.perform(own, 'Ada' as never), InvalidOption)
  await t.rejects(broker.perform(greet, ['Ada']), { message: /"greet" belongs to another broker/ })
  await t.rejects(broker.drain({ within: 'soon' as never }), InvalidOption)
  await t.rejects(broker.assertSent({} as never), InvalidOption)
  t.throws(() => broker.refuteSent(greet, 'Ada' as never), InvalidOption)
})
