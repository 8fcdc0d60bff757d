/** `ack`, `requeue` and `begin`. Dead letters are tested in dead-letters.ts. */
import { MessageTooLarge } from '../../../lib/errors.js'
import { consume, type Exam, nameOf, note, notes, queueName, take, takeOne } from './exam.js'

export function settling(exam: Exam): void {
  exam.ask('an acknowledged message is gone', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(3))
    const deliveries = await take(consumer, 3)
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 3 })
    await Promise.all(deliveries.map((delivery) => consumer.ack(delivery, [])))
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0, dead: 0 })
  })

  exam.ask('an acknowledgement stores the messages sent with it, on any queue', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('first'))
    const delivery = await takeOne(consumer)

    await consumer.ack(delivery, [
      { message: note('next') },
      { message: note('elsewhere', {}, 'exam.other') },
      { message: note('retry'), delay: 20 },
    ])

    t.same((await take(consumer, 2)).map(nameOf), ['next', 'retry'])
    t.equal(nameOf(await takeOne(broker.consume('exam.other'))), 'elsewhere')
  })

  exam.ask('a retry keeps the message id, and its delivery count starts again', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    const message = note('again')
    await broker.enqueue(message)
    const first = await takeOne(consumer)
    await consumer.ack(first, [{ message: message.with({ options: { retries: 1 } }), delay: 10 }])
    const second = await takeOne(consumer)
    t.equal(second.deliveryCount, 1)
    await consumer.ack(second, [])
    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
  })

  exam
    .needs('atomic acknowledgement')
    .ask('an acknowledgement whose sends are refused leaves the message unacked', async ({ t, open }) => {
      const broker = await open({ maxMessageSize: 2000 })
      const consumer = consume(broker)
      await broker.enqueue(note('parent'))
      const delivery = await takeOne(consumer)
      await t.rejects(
        consumer.ack(delivery, [{ message: note('small') }, { message: note('x'.repeat(3000)) }]),
        MessageTooLarge,
      )
      t.match(await broker.stats(queueName), { ready: 0, inFlight: 1 })
      await consumer.ack(delivery, [])
      t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
    })

  exam
    .needs('atomic acknowledgement')
    .ask('an acknowledgement that is too late has no effect, and its sends are not stored', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueue(note('flushed'))
      const delivery = await takeOne(consumer)
      await broker.flush(queueName)

      await consumer.ack(delivery, [{ message: note('ghost') }])
      await consumer.deadLetter(delivery, { reason: 'too late' }, [{ message: note('ghost') }])
      await consumer.requeue(delivery)
      await consumer.requeue(delivery, { counted: true })

      t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
    })

  exam.needs('atomic acknowledgement').ask('settling twice has the effect of settling once', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(2))
    const [first] = await take(consumer, 1)
    if (!first) return void t.fail()
    await consumer.ack(first, [])
    await consumer.ack(first, [{ message: note('ghost') }])
    await consumer.requeue(first)
    t.match(await broker.stats(queueName), { ready: 1, inFlight: 0, dead: 0 })
  })

  exam
    .needs('atomic acknowledgement')
    .ask('a settlement of an earlier delivery does not affect the current one', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueue(note('twice'))
      const earlier = await takeOne(consumer)
      await consumer.requeue(earlier, { counted: true })
      const present = await takeOne(consumer)
      await consumer.ack(earlier, [{ message: note('ghost') }])
      t.match(await broker.stats(queueName), { ready: 0, inFlight: 1 })
      await consumer.ack(present, [])
      t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
    })

  exam.needs('uncounted requeue').ask('an uncounted requeue leaves no trace of the delivery', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('returned', { broker_priority: 4 }))
    for (let round = 0; round < 3; round++) {
      const delivery = await takeOne(consumer)
      t.equal(delivery.deliveryCount, 1)
      t.equal(nameOf(delivery), 'returned')
      await consumer.requeue(delivery)
    }
    t.match(await broker.stats(queueName), { ready: 1, delayed: 0, inFlight: 0 })
  })

  exam
    .needs('priorities', 'uncounted requeue', 'order after a requeue')
    .ask('a message that is requeued uncounted is the first of its priority again', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueueMany([...notes(3), note('urgent', { broker_priority: 9 })])
      const [urgent, one] = await take(consumer, 2)
      if (!urgent || !one) return void t.fail()
      await consumer.requeue(one)
      await consumer.requeue(urgent)
      t.same((await take(consumer, 4)).map(nameOf), ['urgent', 1, 2, 3])
    })

  exam
    .needs('delivery counts', 'uncounted requeue')
    .ask('a counted requeue raises the delivery count of the next delivery', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueue(note('counted', { broker_priority: 3 }))
      for (let round = 1; round <= 3; round++) {
        const delivery = await takeOne(consumer)
        t.equal(delivery.deliveryCount, round)
        await consumer.begin(delivery)
        await consumer.requeue(delivery, { counted: true })
      }
      const last = await takeOne(consumer)
      t.equal(last.deliveryCount, 4)
      await consumer.requeue(last)
      t.equal((await takeOne(consumer)).deliveryCount, 4, 'an uncounted requeue leaves the count unchanged')
    })

  exam
    .needs('stats of delayed messages')
    .ask('a message that is requeued with a delay waits for it', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueueMany([note('back'), note('for long'), note('other')])
      const [back, long] = await take(consumer, 2)
      if (!back || !long) return void t.fail()
      await consumer.requeue(back, { counted: true, delay: 30 })
      await consumer.requeue(long, { counted: true, delay: 3_600_000 })
      t.same((await take(consumer, 2)).map(nameOf), ['other', 'back'])
      t.match(await broker.stats(queueName), { ready: 0, delayed: 1, inFlight: 2 })
    })

  exam
    .needs('delivery counts', 'uncounted requeue')
    .ask('an uncounted requeue may have a delay, too', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueueMany([note('back'), note('other')])
      await consumer.requeue(await takeOne(consumer), { delay: 30 })
      t.equal(nameOf(await takeOne(consumer)), 'other')
      const back = await takeOne(consumer)
      t.equal(nameOf(back), 'back')
      t.equal(back.deliveryCount, 1)
    })

  exam.ask('a requeued message wakes a waiting take', async ({ t, open }) => {
    const broker = await open()
    const [first, second] = [consume(broker, 1), consume(broker, 1)]
    await broker.enqueue(note('handed on'))
    const delivery = await takeOne(first)
    const waiting = takeOne(second)
    await first.requeue(delivery)
    t.equal(nameOf(await waiting), 'handed on')
  })

  exam.ask('hundreds of settlements in one turn all take effect', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(300))
    const deliveries = await take(consumer, 300)
    await Promise.all(
      deliveries.map((delivery, index) => {
        if (index % 3 === 0) return consumer.ack(delivery, [])
        if (index % 3 === 1) return consumer.ack(delivery, [{ message: note(`after ${nameOf(delivery)}`) }])
        return consumer.deadLetter(delivery, { reason: 'third' }, [])
      }),
    )
    t.match(await broker.stats(queueName), { ready: 100, inFlight: 0, dead: 100 })
    t.equal(new Set((await take(consumer, 100)).map(nameOf)).size, 100)
  })
}
