/** Dead-lettered messages: how they are kept, listed, requeued and deleted. */
import { MemoryResults } from '../../../brokers/memory/index.js'
import type { DeadLetter } from '../../../lib/consumer.js'
import { InvalidOption, ResultMissing } from '../../../lib/errors.js'
import { Message } from '../../../lib/message.js'
import { Results } from '../../../middleware/results.js'
import { consume, type Exam, nameOf, note, notes, queueName, take, takeOne, until } from './exam.js'

export function deadLetters(exam: Exam): void {
  exam
    .needs('dead letters by id')
    .ask('a dead letter keeps the body, the reason and the traceback', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      await broker.enqueue(note('doomed', { retries: 2 }))
      const delivery = await takeOne(consumer)
      const before = Date.now()

      await consumer.deadLetter(delivery, { reason: 'It was no use.', traceback: 'Error: no use\n  at here\n' }, [])

      t.match(await broker.stats(queueName), { ready: 0, inFlight: 0, dead: 1 })
      const { letters, cursor } = await broker.deadLetters(queueName)
      const letter = letters[0] as DeadLetter
      t.equal(letters.length, 1)
      t.equal(cursor, undefined)
      t.match(letter, { queueName, reason: 'It was no use.', traceback: 'Error: no use\n  at here\n' })
      t.same(letter.body, delivery.body, 'unchanged')
      t.equal(typeof letter.id, 'string')
      // A tolerance of a second: the time may come from the clock of another machine.
      t.ok(letter.deadAt >= before - 1000 && letter.deadAt <= Date.now() + 1000)
    })

  exam.ask('messages sent together with a dead-lettering are stored', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('doomed'))
    await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [{ message: note('condolence') }])
    t.equal(nameOf(await takeOne(consumer)), 'condolence')
    await until(async () => (await broker.stats(queueName)).dead === 1, 'the dead letter')
  })

  exam.needs('dead letters by id').ask('dead letters come in pages, oldest first', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(7))
    for (const delivery of await take(consumer, 7)) {
      await consumer.deadLetter(delivery, { reason: `number ${nameOf(delivery)}` }, [])
    }

    const pages: unknown[][] = []
    let cursor: string | undefined
    do {
      const page = await broker.deadLetters(queueName, cursor === undefined ? { limit: 3 } : { limit: 3, cursor })
      pages.push(page.letters.map(nameOf))
      cursor = page.cursor
    } while (cursor !== undefined)

    t.same(pages, [[1, 2, 3], [4, 5, 6], [7]])
    t.same((await broker.deadLetters(queueName, { limit: 7 })).cursor, undefined, 'a full last page has no cursor')
    t.same((await broker.deadLetters('exam.other')).letters, [])
    await t.rejects(broker.deadLetters(queueName, { limit: -1 }), InvalidOption)
  })

  exam
    .needs('dead letters by id')
    .ask(
      'a page continues where the previous one ended, even if letters were deleted in between',
      async ({ t, open }) => {
        const broker = await open()
        const consumer = consume(broker)
        await broker.enqueueMany(notes(4))
        for (const delivery of await take(consumer, 4)) await consumer.deadLetter(delivery, { reason: 'bad' }, [])
        const { letters, cursor } = await broker.deadLetters(queueName, { limit: 2 })
        for (const { id } of letters) await broker.deleteDeadLetter(id)
        const rest = await broker.deadLetters(queueName, { limit: 2, cursor: cursor as string })
        t.same(rest.letters.map(nameOf), [3, 4])
        t.equal(rest.cursor, undefined)
      },
    )

  exam
    .needs('dead letters by id')
    .ask('a dead letter can be requeued, and its attempts are reset', async ({ t, open }) => {
      const broker = await open()
      const consumer = consume(broker)
      const message = note('second chance', { retries: 20, own: 'kept', broker_priority: 6 })
      await broker.enqueue(message)
      const first = await takeOne(consumer)
      await consumer.requeue(first, { counted: true })
      await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
      const { id } = (await broker.deadLetters(queueName)).letters[0] as DeadLetter

      t.equal(await broker.requeueDeadLetter(id), true)
      t.equal(await broker.requeueDeadLetter(id), false, 'it no longer exists')

      t.match(await broker.stats(queueName), { ready: 1, dead: 0 })
      const delivery = await takeOne(consumer)
      const revived = Message.decode(delivery.body)
      t.equal(delivery.deliveryCount, 1)
      t.equal(revived.messageId, message.messageId)
      t.equal(revived.options.own, 'kept')
      t.equal(revived.options.retries, undefined)
      if (!exam.capabilities.lacks?.includes('priorities')) t.equal(delivery.priority, 6)
    })

  exam
    .needs('dead letters by id')
    .ask('result() of a requeued message waits for the new result', async ({ t, open }) => {
      const backend = new MemoryResults()
      const broker = await open({ middleware: [new Results({ backend, storeResults: true })] })
      const consumer = consume(broker)
      const message = note('second chance')
      await broker.enqueue(message)
      await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
      await backend.storeFailure(message, { type: 'Error', message: 'bad' }, 60_000)
      const { id } = (await broker.deadLetters(queueName)).letters[0] as DeadLetter
      const { forget } = backend

      backend.forget = async () => {
        throw new Error('away')
      }
      await t.rejects(broker.requeueDeadLetter(id), { message: 'away' })
      t.match(
        await broker.stats(queueName),
        { ready: 0, dead: 1 },
        'nothing is requeued as long as the stored failure can not be deleted',
      )

      backend.forget = forget
      t.equal(await broker.requeueDeadLetter(id), true)
      await t.rejects(backend.get(message, { timeout: 0 }), ResultMissing)
    })

  exam.needs('dead letters by id').ask('an invalid cursor or id is refused, with the reason', async ({ t, open }) => {
    const broker = await open()
    for (const cursor of ['x:y', 'nonsense', '', 5, null] as never[]) {
      await t.rejects(broker.deadLetters(queueName, { cursor }), {
        name: 'InvalidOption',
        message: /the cursor of the page before/,
      })
    }
    await t.rejects(broker.deadLetters(queueName, { limt: 3 } as never), {
      name: 'InvalidOption',
      message: /did you mean "limit"/,
    })
    for (const id of [undefined, 7] as never[]) {
      await t.rejects(broker.requeueDeadLetter(id), { name: 'InvalidOption', message: /the id of a dead letter/ })
      await t.rejects(broker.deleteDeadLetter(id), InvalidOption)
    }
  })

  exam.needs('dead letters by id').ask('requeueing a dead letter wakes a waiting take', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueue(note('revived'))
    await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
    const { id } = (await broker.deadLetters(queueName)).letters[0] as DeadLetter
    const waiting = takeOne(consumer)
    await broker.requeueDeadLetter(id)
    t.equal(nameOf(await waiting), 'revived')
  })

  exam.needs('dead letters by id').ask('a dead letter can be deleted', async ({ t, open }) => {
    const broker = await open()
    const consumer = consume(broker)
    await broker.enqueueMany(notes(2))
    for (const delivery of await take(consumer, 2)) await consumer.deadLetter(delivery, { reason: 'bad' }, [])
    const [first] = (await broker.deadLetters(queueName)).letters as [DeadLetter]
    t.equal(await broker.deleteDeadLetter(first.id), true)
    t.equal(await broker.deleteDeadLetter(first.id), false)
    t.equal(await broker.deleteDeadLetter('nobody'), false)
    t.equal(await broker.requeueDeadLetter('nobody'), false)
    t.same((await broker.deadLetters(queueName)).letters.map(nameOf), [2])
    t.match(await broker.stats(queueName), { ready: 0, dead: 1 })
  })

  exam.needs('dead letters by id').ask('dead letters are kept for deadMessageTtl', async ({ open }) => {
    const broker = await open({ deadMessageTtl: 30 })
    const consumer = consume(broker)
    await broker.enqueue(note('short-lived'))
    await consumer.deadLetter(await takeOne(consumer), { reason: 'bad' }, [])
    await until(async () => (await broker.deadLetters(queueName)).letters.length === 0, 'the end of the dead letter')
    await until(async () => (await broker.stats(queueName)).dead === 0, 'the count to know')
  })
}
