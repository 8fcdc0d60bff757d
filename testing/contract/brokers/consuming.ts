/** `take`: order, delay, waiting, sharing. */
import type { Consumer } from '../../../lib/consumer.js'
import { consume, type Exam, inTime, nameOf, note, notes, queueName, take, takeOne, until } from './exam.js'

export function consuming(exam: Exam): void {
  exam.ask('oldest first', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    for (const message of notes(5)) await broker.enqueue(message)
    t.same((await take(consumer, 5)).map(nameOf), [1, 2, 3, 4, 5])
  })

  exam.ask('take returns no more than requested', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(10))
    const taken = []
    while (taken.length < 10) {
      const batch = await inTime(consumer.take(3), 'three messages')
      t.ok(batch.length <= 3)
      taken.push(...batch)
    }
    t.same(taken.map(nameOf), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  exam.needs('priorities').ask('higher priority first, then oldest first', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    const priorities = [0, 5, 9, 5, undefined, 1, 9]
    await broker.enqueueMany(
      priorities.map((priority, index) => note(index, priority === undefined ? {} : { broker_priority: priority })),
    )
    const taken = await take(consumer, priorities.length)
    t.same(taken.map(nameOf), [2, 6, 1, 3, 5, 0, 4])
    t.same(
      taken.map(({ priority }) => priority),
      [9, 9, 5, 5, 1, 0, 0],
    )
  })

  exam.ask('a message with a priority outside 0 to 9 is still delivered', async ({ t, open }) => {
    const broker = await open()
    const odd = [200, -3, 2.5, 'high', null, Number.MAX_SAFE_INTEGER]
    await broker.enqueueMany(odd.map((priority, index) => note(index, { broker_priority: priority })))
    const taken = await take(consume(broker), odd.length)
    t.same(taken.map(nameOf).sort(), [0, 1, 2, 3, 4, 5])
    for (const { priority } of taken) t.ok(Number.isInteger(priority) && priority >= 0 && priority <= 9)
  })

  exam.ask('a take waits for a send', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    const waiting = takeOne(consumer)
    await broker.enqueue(note('awaited'))
    t.equal(nameOf(await waiting), 'awaited')
  })

  exam.ask('a delayed message is not taken before its time', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    const sentAt = Date.now()

    // Sent together: each delay counts from its send, and a slow machine may pause between two sends.
    await broker.enqueueEntries([
      { message: note('late'), delay: 120 },
      { message: note('tomorrow'), delay: 86_400_000 },
      { message: note('early'), delay: 60 },
      { message: note('now') },
    ])

    const taken: unknown[] = []
    while (taken.length < 3) {
      const delivery = await takeOne(consumer)
      const name = nameOf(delivery)
      taken.push(name)
      // A tolerance of a millisecond: two clocks may round the same moment differently.
      if (name === 'early') t.ok(Date.now() >= sentAt + 60 - 1, 'not early')
      if (name === 'late') t.ok(Date.now() >= sentAt + 120 - 1, 'not early')
      await consumer.ack(delivery, [])
    }
    t.same(taken, ['now', 'early', 'late'])
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
  })

  exam
    .needs('stats of delayed messages')
    .ask('delayed messages are counted as such until they are due', async ({ t, open }) => {
      const broker = await open()
      await broker.enqueueMany(notes(3), { delay: '1h' })
      await broker.enqueue(note('soon'), { delay: 30 })
      await broker.enqueue(note('at once'), { delay: 0 })
      const consumer = consume(broker)
      t.same((await take(consumer, 2)).map(nameOf), ['at once', 'soon'])
      t.same(await broker.stats(queueName), { ready: 0, delayed: 3, inFlight: 2, dead: 0 })
    })

  exam.needs('priorities').ask('a delayed message keeps its priority', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('urgent', { broker_priority: 7 }), { delay: 20 })
    const delivery = await takeOne(consumer)
    t.equal(nameOf(delivery), 'urgent')
    t.equal(delivery.priority, 7)
  })

  exam
    .needs('stats of delayed messages')
    .ask('a delay longer than the longest timer of Node is kept', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueue(note('in sixty days'), { delay: '60d' })
      await broker.enqueue(note('now'))
      t.equal(nameOf(await takeOne(consumer)), 'now')
      t.match(await broker.stats(queueName), { ready: 0, delayed: 1 })
    })

  exam.ask('two consumers share a queue: each message goes to one of them', async ({ t, open }) => {
    const broker = await open()
    const consumers = [consume(broker, 50), consume(broker, 50)]
    const names: unknown[] = []
    const drain = async (consumer: Consumer): Promise<void> => {
      while (names.length < 1000) {
        const batch = await inTime(consumer.take(50), 'a batch')
        names.push(...batch.map(nameOf))
        await Promise.all(batch.map((delivery) => consumer.ack(delivery, [])))
      }
      for (const each of consumers) await each.close()
    }
    await broker.enqueueMany(notes(1000))
    await Promise.all(consumers.map(drain))
    t.equal(names.length, 1000)
    t.equal(new Set(names).size, 1000)
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
  })

  exam.ask('a burst wakes as many waiting consumers as there are messages for', async ({ t, open }) => {
    const broker = await open()
    const [first, second] = [consume(broker, 1), consume(broker, 1)]
    const waiting = [takeOne(first), takeOne(second)]
    await broker.enqueueMany(notes(2))
    t.same((await Promise.all(waiting)).map(nameOf).sort(), [1, 2])
  })

  exam
    .needs('stats of delayed messages')
    .ask('stats count ready, delayed, unacked and dead messages', async ({ t, open }) => {
      const broker = await open()
      t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0, dead: 0 }, 'of an unknown queue')
      await broker.enqueueMany(notes(4))
      await broker.enqueue(note('later'), { delay: '1h' })
      const consumer = consume(broker)
      const [first] = await take(consumer, 2)
      if (first) await consumer.deadLetter(first, { reason: 'bad' }, [])
      await until(async () => (await broker.stats(queueName)).dead === 1, 'the dead letter')
      t.same(await broker.stats(queueName), { ready: 2, delayed: 1, inFlight: 1, dead: 1 })
      t.same(await broker.stats(`${queueName}.DQ`), await broker.stats(queueName), 'by any name of the queue')
    })
}
