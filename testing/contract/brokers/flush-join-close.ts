/** `flush`, `join` and `close`. */
import { BrokerClosed, QueueJoinTimeout } from '../../../lib/errors.js'
import { pause } from '../../../lib/time.js'
import { stepClock } from '../step-clock.js'
import { consume, type Exam, inTime, nameOf, note, notes, queueName, take, takeOne } from './exam.js'

export function flushJoinClose(exam: Exam): void {
  exam.ask('flush empties one queue: ready, delayed, unacked and dead', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(3))
    await broker.enqueue(note('later'), { delay: '1h' })
    await broker.enqueue(note('spared', {}, 'exam.other'))
    const [first] = await take(consumer, 2)
    if (first) await consumer.deadLetter(first, { reason: 'bad' }, [])

    await broker.flush(queueName)

    t.same(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
    t.match(await broker.stats('exam.other'), { ready: 1 })
    await broker.enqueue(note('new'))
    t.equal(nameOf(await takeOne(consumer)), 'new', 'the queue still works')
  })

  exam.ask('a flushed delayed message is never delivered', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('never'), { delay: 10 })
    await broker.flush(queueName)
    await broker.enqueue(note('afterwards'), { delay: 20 })
    t.equal(nameOf(await takeOne(consumer)), 'afterwards')
    t.match(await broker.stats(queueName), { ready: 0, delayed: 0, inFlight: 1 })
  })

  exam.ask('flushAll empties every queue', async ({ t, open }) => {
    const broker = await open()
    await broker.enqueueMany([note('here'), note('there', {}, 'exam.other')])
    await broker.flushAll()
    t.match(await broker.stats(queueName), { ready: 0 })
    t.match(await broker.stats('exam.other'), { ready: 0 })
  })

  exam.ask('join waits until nothing is ready, delayed or unacked', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.join(queueName, { timeout: '10s' })
    await broker.enqueue(note('now'))
    await broker.enqueue(note('later'), { delay: 30 })

    let done = 0
    const joined = broker.join(queueName, { timeout: '10s' }).then(() => done)
    for (let count = 0; count < 2; count++) {
      const delivery = await takeOne(consumer)
      done++
      await consumer.ack(delivery, count === 0 ? [{ message: note('follows') }] : [])
    }
    const delivery = await takeOne(consumer)
    done++
    await consumer.ack(delivery, [])

    t.equal(await inTime(joined, 'join'), 3)
  })

  exam.ask('join does not wait for dead letters', async ({ open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('doomed'))
    await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
    await broker.join(queueName, { timeout: '10s' })
  })

  exam.ask('the timeout of join is not affected by changes of the system clock', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('slow'))
    const delivery = await takeOne(consumer)
    const joined = broker.join(queueName, { timeout: '10s' })
    stepClock(t, 3_600_000)
    await Promise.race([joined, pause(150)])
    await consumer.ack(delivery, [])
    await inTime(joined, 'join')
  })

  exam.ask('join rejects after its timeout', async ({ t, open }) => {
    const broker = await open()
    await broker.enqueue(note('stays'))
    await t.rejects(broker.join(queueName, { timeout: 20 }), QueueJoinTimeout)
    await t.rejects(broker.join(queueName, { timeout: 20 }), new QueueJoinTimeout(queueName, 20))
  })

  exam.ask(
    'closing a consumer ends its waiting take; its unacked messages can still be settled',
    async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueueMany(notes(2))
      const [acknowledged, returned] = await take(consumer, 2)
      if (!acknowledged || !returned) return void t.fail()
      const waiting = consumer.take(1)

      await consumer.close()

      t.same(await inTime(waiting, 'the end of take'), [])
      t.same(await inTime(consumer.take(1), 'a take after the end'), [])
      await consumer.ack(acknowledged, [{ message: note('sent late') }])
      await consumer.requeue(returned)
      await consumer.close()
      t.match(await broker.stats(queueName), { ready: 2, inFlight: 0 })
    },
  )

  exam.ask('closing one consumer does not affect the messages of the others', async ({ t, open }) => {
    const broker = await open()
    const [closed, other] = [consume(broker, 1), consume(broker, 1)]
    const ended = closed.take(1)
    const waiting = takeOne(other)
    await closed.close()
    t.same(await inTime(ended, 'the end of take'), [])
    await broker.enqueue(note('for the other'))
    t.equal(nameOf(await waiting), 'for the other')
  })

  exam.ask('a closed broker rejects every call with BrokerClosed', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    const waiting = consumer.take(1)
    const stored = broker.enqueue(note('in time'))

    await Promise.all([stored, broker.close()])

    await inTime(
      waiting.catch(() => []),
      'the end of take',
    )
    t.equal(broker.closed, true)
    await t.rejects(broker.enqueue(note('late')), BrokerClosed)
    await t.rejects(broker.enqueueMany(notes(2)), BrokerClosed)
    await t.rejects(broker.stats(queueName), BrokerClosed)
    await t.rejects(broker.flush(queueName), BrokerClosed)
    await t.rejects(broker.join(queueName), BrokerClosed)
    await t.rejects(broker.deadLetters(queueName), BrokerClosed)
    await t.rejects(broker.requeueDeadLetter('1'), BrokerClosed)
    await t.rejects(broker.deleteDeadLetter('1'), BrokerClosed)
    t.throws(() => broker.consume(queueName), BrokerClosed)
    await broker.close()
  })
}
