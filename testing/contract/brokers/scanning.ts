/** Searching the messages of a queue. */
import type { Broker } from '../../../lib/broker.js'
import type { QueueSearch, ScannedMessage } from '../../../lib/consumer.js'
import { consume, type Exam, nameOf, note, notes, queueName, take, takeOne } from './exam.js'

/** What is found: `state name`, in order. */
async function found(broker: Broker, containing?: string): Promise<string[]> {
  const all: ScannedMessage[] = []
  for await (const page of searchOf(broker).scan(queueName, { containing })) all.push(...page)
  return [...new Set(all.map((one) => `${one.state} ${nameOf(one)}`))].sort()
}

function searchOf(broker: Broker): QueueSearch {
  return broker.queueSearch as QueueSearch
}

export function scanning(exam: Exam): void {
  exam
    .needs('searching')
    .ask('the messages of a queue are found by their state, but for dead letters', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      t.same(await found(broker), [])
      await broker.enqueueMany([note('held'), note('dead')])
      const [, dead] = await take(consumer, 2)
      if (dead) await consumer.deadLetter(dead, { reason: 'bad' }, [])
      await broker.enqueueMany([note('ready'), note('urgent', { broker_priority: 9 })])
      await broker.enqueue(note('delayed', { broker_priority: 3 }), { delay: '1h' })
      await broker.enqueue(note('elsewhere', {}, 'exam.other'))
      t.same(await found(broker), ['delayed delayed', 'held held', 'ready ready', 'ready urgent'])
    })

  exam.needs('searching').ask('only messages that contain a text are found', async ({ t, open }) => {
    const broker = await open()
    await broker.enqueueMany([note('some text'), note('%'), note('a.c'), note('abc'), note('ü')])
    await broker.enqueue(note('late text'), { delay: '1h' })
    t.same(await found(broker, 'text'), ['delayed late text', 'ready some text'])
    t.same(await found(broker, 'a.c'), ['ready a.c'], 'it is no pattern')
    t.same(await found(broker, '"%"'), ['ready %'])
    t.same(await found(broker, 'TEXT'), [], 'case matters')
  })

  exam.needs('searching').ask('all messages of a long queue are found', async ({ t, open }) => {
    const broker = await open()
    const count = 1200
    await broker.enqueueMany(notes(count))
    await broker.enqueueMany(notes(count), { delay: '1h' })
    const held = await take(consume(broker), 300)
    const all = await found(broker)
    t.equal(all.filter((one) => one.startsWith('ready')).length, count - held.length)
    t.equal(all.filter((one) => one.startsWith('held')).length, held.length)
    t.equal(all.filter((one) => one.startsWith('delayed')).length, count)
  })

  exam.needs('searching').ask('a delayed message can be made due', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('first'), { delay: '1h' })
    await broker.enqueue(note('second'), { delay: '2h' })
    const waiting = takeOne(consumer)
    const { scan, runNow } = searchOf(broker)
    for await (const page of scan(queueName, { containing: 'second' }))
      await runNow(
        queueName,
        page.map(({ ref }) => ref),
      )
    const taken = await waiting
    t.equal(nameOf(taken), 'second')
    t.match(await broker.stats(queueName), { ready: 0, delayed: 1, inFlight: 1 })
    await consumer.ack(taken, [])
  })

  exam.needs('searching').ask('making due what is not delayed any more does nothing', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('soon'), { delay: 5 })
    const { scan, runNow } = searchOf(broker)
    const refs: unknown[] = []
    for await (const page of scan(queueName, {})) refs.push(...page.map(({ ref }) => ref))
    const taken = await takeOne(consumer)
    await runNow(queueName, refs)
    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 1 })
    await consumer.ack(taken, [])
    await runNow(queueName, refs)
    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
  })

  exam.needs('searching').askTwo('what another broker holds is found', async ({ t, open, openAnother }) => {
    const one = await open()
    const two = await openAnother(one)
    await one.enqueueMany([note('held'), note('ready')])
    const delivery = await takeOne(consume(two))
    t.same(await found(one), ['held held', 'ready ready'])
    await consume(two).requeue(delivery)
    t.same(await found(one), ['ready held', 'ready ready'])
  })
}
