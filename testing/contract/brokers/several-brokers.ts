/** Several brokers on one store, and the recovery of messages that a dead one held. */
import { consume, type Exam, nameOf, note, notes, queueName, take, takeOne, until } from './exam.js'

export function severalBrokers(exam: Exam): void {
  exam.askTwo('a message sent by one broker is taken by another', async ({ t, open, openAnother }) => {
    const producer = await open()
    const worker = await openAnother(producer)
    const consumer = consume(worker)
    const waiting = takeOne(consumer)
    await producer.enqueue(note('across'))
    const delivery = await waiting
    t.equal(nameOf(delivery), 'across')
    t.match(await producer.stats(queueName), { ready: 0, inFlight: 1 })
    await consumer.ack(delivery, [{ message: note('answer') }])
    t.equal(nameOf(await takeOne(consume(producer))), 'answer')
  })

  exam
    .needs('stats of delayed messages')
    .askTwo('a delayed message is taken once, whichever broker promotes it', async ({ t, open, openAnother }) => {
      const one = await open()
      const brokers = [one, await openAnother(one), await openAnother(one)]
      for (const message of notes(60)) await one.enqueue(message, { delay: 20 })
      const names: unknown[] = []
      const consumers = brokers.map((broker) => consume(broker, 10))
      await Promise.all(
        consumers.map(async (consumer) => {
          while (names.length < 60) {
            const batch = await consumer.take(5)
            names.push(...batch.map(nameOf))
            for (const delivery of batch) await consumer.ack(delivery, [])
          }
          for (const each of consumers) await each.close()
        }),
      )
      t.equal(new Set(names).size, 60)
      t.equal(names.length, 60)
      t.match(await one.stats(queueName), { ready: 0, delayed: 0, inFlight: 0 })
    })

  exam.askTwo('brokers share messages without duplicates', async ({ t, open, openAnother }) => {
    const one = await open()
    const brokers = [one, await openAnother(one)]
    const names: unknown[] = []
    const consumers = brokers.map((broker) => consume(broker, 20))
    const draining = consumers.map(async (consumer) => {
      while (names.length < 400) {
        const batch = await consumer.take(20)
        names.push(...batch.map(nameOf))
        await Promise.all(batch.map((delivery) => consumer.ack(delivery, [])))
      }
      for (const each of consumers) await each.close()
    })
    await Promise.all(
      brokers.map((broker, index) => broker.enqueueMany(notes(400).slice(index * 200, index * 200 + 200))),
    )
    await Promise.all(draining)
    t.equal(names.length, 400)
    t.equal(new Set(names).size, 400)
  })

  exam
    .needs('atomic acknowledgement')
    .askTwo('a message that one broker flushed can not be settled by another', async ({ t, open, openAnother }) => {
      const one = await open()
      const two = await openAnother(one)
      const consumer = consume(two)
      await one.enqueue(note('flushed'))
      const delivery = await takeOne(consumer)
      await one.flush(queueName)
      await consumer.ack(delivery, [{ message: note('ghost') }])
      t.match(await one.stats(queueName), { ready: 0, inFlight: 0, dead: 0 })
    })

  exam.askTwo('stored messages outlive the broker that stored them', async ({ t, open, openAnother }) => {
    const first = await open()
    const second = await openAnother(first)
    await first.enqueueMany(notes(3))
    await first.close()
    t.same((await take(consume(second), 3)).map(nameOf), [1, 2, 3])
  })

  const { crash } = exam.capabilities
  if (!crash) return

  exam
    .needs('delivery counts')
    .askTwo(
      'the messages of a dead worker are redelivered, and the delivery is counted',
      async ({ t, open, openAnother }) => {
        const doomed = await open()
        const heir = await openAnother(doomed)
        await doomed.enqueueMany(notes(3))
        await take(consume(doomed), 2)

        await crash(doomed)

        const deliveries = await take(consume(heir), 3)
        const counts = Object.fromEntries(deliveries.map((delivery) => [nameOf(delivery), delivery.deliveryCount]))
        t.same(counts, { 1: 2, 2: 2, 3: 1 })
      },
    )

  exam
    .needs('atomic acknowledgement')
    .askTwo('a late settlement by a worker that was declared dead has no effect', async ({ t, open, openAnother }) => {
      const doomed = await open()
      const heir = await openAnother(doomed)
      const ghost = consume(doomed)
      await doomed.enqueue(note('fought over'))
      const stale = await takeOne(ghost)
      await crash(doomed)
      const consumer = consume(heir)
      const present = await takeOne(consumer)

      // A process that only hung may continue and settle. The settlement may also be rejected.
      await ghost.ack(stale, [{ message: note('ghost') }]).catch(() => {})

      t.match(await heir.stats(queueName), { ready: 0, inFlight: 1 })
      await consumer.ack(present, [])
      t.match(await heir.stats(queueName), { ready: 0, inFlight: 0 })
    })

  exam
    .needs('delivery counts')
    .askTwo('when a worker dies, its running message is distinguished from messages it only held', async (question) => {
      const { t, open, openAnother } = question
      const first = await open()
      const second = await openAnother(first)
      const heir = await openAnother(first)
      await first.enqueueMany([note('killer'), note('neighbour')])
      await take(consume(first), 2)
      await crash(first)
      const consumer = consume(second)
      const killer = (await take(consumer, 2)).find((delivery) => nameOf(delivery) === 'killer')
      if (!killer) return void t.fail()
      t.equal(killer.deliveryCount, 2)

      await consumer.begin(killer)
      await crash(second)

      const deliveries = await take(consume(heir), 2)
      const counts = Object.fromEntries(deliveries.map((delivery) => [nameOf(delivery), delivery.deliveryCount]))
      t.same(counts, { killer: 3, neighbour: 2 }, 'the message that was only held is not counted again')
    })

  exam.askTwo(
    'messages of a dead worker without any other worker wait for the next one',
    async ({ t, open, openAnother }) => {
      const doomed = await open()
      await doomed.enqueue(note('orphan'))
      await takeOne(consume(doomed))
      await crash(doomed)
      const late = await openAnother(doomed)
      const delivery = await takeOne(consume(late))
      t.equal(nameOf(delivery), 'orphan')
      await until(async () => (await late.stats(queueName)).inFlight === 1, 'it to be in one hand only')
    },
  )
}
