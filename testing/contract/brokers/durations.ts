/** Durations longer than Node's timers (24.8 days), up to the longest. */
import { parseDuration, pause } from '../../../lib/time.js'
import { consume, type Exam, inTime, nameOf, note, queueName, take, takeOne } from './exam.js'

export function durations(exam: Exam): void {
  for (const long of ['30d', '365d', Number.MAX_SAFE_INTEGER] as const) {
    exam.ask(`a delay, and every time limit of a broker, may be ${long}`, async ({ t, open }) => {
      const broker = await open({ enqueueTimeout: long, deadMessageTtl: long })
      const consumer = consume(broker)
      await broker.enqueue(note('much later'), { delay: long })
      await broker.enqueueMany([note('bad'), note('now')])
      const [bad, now] = await take(consumer, 2)
      if (!bad || !now) return void t.fail()
      await consumer.deadLetter(bad, { reason: 'bad' }, [
        { message: note('later still'), delay: parseDuration(long, 'delay') },
      ])
      const next = consumer.take(10)
      await pause(30)
      await consumer.requeue(now, { counted: true, delay: 1 })
      t.same((await inTime(next, 'what is due')).map(nameOf), ['now'])
      t.equal((await broker.deadLetters(queueName)).letters.length, 1)
      const { delayed } = await broker.stats(queueName)
      t.equal(delayed, 2)
    })
  }

  exam.ask('join may wait that long', async ({ open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('now'))
    const delivery = await takeOne(consumer)
    const joined = broker.join(queueName, { timeout: '365d' })
    await pause(30)
    await consumer.ack(delivery, [])
    await inTime(joined, 'join')
  })
}
