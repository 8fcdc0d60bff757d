/** `enqueue` and `enqueueMany`. */
import type { Body, WireMessage } from '../../../lib/encoder.js'
import { getEncoder, setEncoder } from '../../../lib/encoder.js'
import { DramatisError, InvalidName, MessageTooLarge } from '../../../lib/errors.js'
import { Message } from '../../../lib/message.js'
import type { Middleware } from '../../../lib/middleware.js'
import { consume, type Exam, nameOf, note, notes, queueName, take, takeOne } from './exam.js'

export function sending(exam: Exam): void {
  exam.ask('a message arrives unchanged', async ({ t, open }) => {
    const broker = await open()
    const sent = new Message({
      queueName,
      actorName: 'actor',
      args: [1, 'ünï 世界 😀', [null, { deep: [true] }], ''],
      kwargs: { by: 'keyword' },
      options: { max_retries: 3, own: { kept: [1] } },
    })

    await broker.enqueue(sent)

    const delivery = await takeOne(consume(broker))
    const { options, ...fields } = Message.decode(delivery.body).toWire()
    const { options: sentOptions, ...sentFields } = sent.toWire()
    t.same(fields, sentFields)
    t.match(options, sentOptions, 'a broker may add options, and changes none')
    t.equal(delivery.queueName, queueName)
    t.equal(delivery.priority, 0)
    t.equal(delivery.deliveryCount, 1)
  })

  exam.ask('a send that resolved is stored', async ({ t, open }) => {
    const broker = await open()
    const message = note('kept')
    t.equal(await broker.enqueue(message), message)
    t.match(await broker.stats(queueName), { ready: 1, inFlight: 0, dead: 0 })
  })

  exam.ask('a thousand sends of one turn all arrive, in order', async ({ t, open }) => {
    const broker = await open()
    const messages = notes(1000)
    const consumer = consume(broker)

    await Promise.all(messages.map((message) => broker.enqueue(message)))

    t.match(await broker.stats(queueName), { ready: 1000 })
    const deliveries = await take(consumer, 1000)
    t.same(deliveries.map(nameOf), messages.map(nameOfMessage))
    await Promise.all(deliveries.map((delivery) => consumer.ack(delivery, [])))
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 0 })
  })

  exam.ask('enqueueMany stores all, in order', async ({ t, open }) => {
    const broker = await open()
    const messages = notes(600)
    t.same(await broker.enqueueMany(messages), messages)
    t.same((await take(consume(broker), 600)).map(nameOf), messages.map(nameOfMessage))
    t.same(await broker.enqueueMany([]), [], 'an empty list is allowed')
  })

  exam.ask('queues are separate', async ({ t, open }) => {
    const broker = await open()
    await broker.enqueueMany([note('here'), note('there', {}, 'exam.other')])
    t.equal(nameOf(await takeOne(broker.consume('exam.other'))), 'there')
    t.equal(nameOf(await takeOne(consume(broker))), 'here')
  })

  exam.ask('a message over the size limit is refused, with its size', async ({ t, open }) => {
    const broker = await open({ maxMessageSize: 2000 })
    const error = await rejection(broker.enqueue(note('ü'.repeat(1000))))
    t.ok(error instanceof MessageTooLarge)
    t.match(error, { actorName: 'note', limit: 2000 })
    t.ok((error as MessageTooLarge).size > 2000, 'bytes are counted, not characters')
    t.match(await broker.stats(queueName), { ready: 0, delayed: 0 })
    await broker.enqueue(note('ü'.repeat(500)))
    t.match(await broker.stats(queueName), { ready: 1 }, 'other messages are not affected')
  })

  exam
    .needs('atomic batches')
    .ask('either all of many messages are stored or, if one is refused, none', async ({ t, open }) => {
      const broker = await open({ maxMessageSize: 2000 })
      const messages = [...notes(3), note('x'.repeat(3000)), ...notes(3)]
      t.ok((await rejection(broker.enqueueMany(messages))) instanceof MessageTooLarge)
      t.match(await broker.stats(queueName), { ready: 0, delayed: 0 })
    })

  exam.ask('one refused send does not affect others of the same turn', async ({ t, open }) => {
    const broker = await open({ maxMessageSize: 2000 })
    const outcomes = await Promise.allSettled(
      [note('before'), note('x'.repeat(3000)), note('after')].map((message) => broker.enqueue(message)),
    )
    t.same(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    t.same((await take(consume(broker), 2)).map(nameOf), ['before', 'after'])
  })

  exam.ask('names that the wire does not allow are refused', async ({ t, open }) => {
    const broker = await open()
    for (const bad of ['', '1a', 'a b', 'a/b', 'a:b', 'hé', '-a', '.a']) {
      t.ok((await rejection(broker.enqueue(note('lost', {}, bad)))) instanceof InvalidName, JSON.stringify(bad))
      t.throws(() => broker.consume(bad), InvalidName)
      t.throws(() => broker.declareQueue(bad), InvalidName)
    }
    t.ok((await rejection(broker.enqueue({ queueName } as Message))) instanceof DramatisError, 'not a message')
  })

  exam
    .needs('stats of delayed messages')
    .ask('hooks are called around every send, and see its delay', async ({ t, open }) => {
      const calls: unknown[][] = []
      const spy: Middleware = {
        beforeEnqueue: (message, delay) => void calls.push(['before', message.args[0], delay]),
        beforeDelayMessage: async (message, delay) => void calls.push(['delay', message.args[0], delay]),
        afterEnqueue: async (message, delay, broker) => {
          const { ready, delayed } = await broker.stats(queueName)
          calls.push(['after', message.args[0], delay, ready + delayed])
        },
      }
      const broker = await open({ middleware: [spy] })
      await broker.enqueue(note('now'))
      await broker.enqueue(note('later'), { delay: '1h' })
      t.same(calls, [
        ['before', 'now', undefined],
        ['after', 'now', undefined, 1],
        ['before', 'later', 3_600_000],
        ['delay', 'later', 3_600_000],
        ['after', 'later', 3_600_000, 2],
      ])
    })

  exam.ask('a failing hook of an essential plugin rejects the send', async ({ t, open }) => {
    const guard: Middleware = {
      name: 'guard',
      essential: true,
      beforeEnqueue: async () => {
        throw new Error('not today')
      },
    }
    const broker = await open({ middleware: [guard] })
    t.match((await rejection(broker.enqueue(note('stopped')))).message, /guard.*not today/)
    t.match(await broker.stats(queueName), { ready: 0 })
  })

  exam.ask('bytes of a custom encoder are returned unchanged', async ({ t, open }) => {
    const json = getEncoder()
    t.teardown(() => setEncoder(json))
    setEncoder({
      encode: (message: WireMessage): Body => Buffer.from(`\xff\x00${JSON.stringify(message)}`, 'latin1'),
      decode: (body: Body) =>
        JSON.parse(
          Buffer.from(body as Uint8Array)
            .subarray(2)
            .toString('latin1'),
        ) as unknown,
    })
    const broker = await open()
    await broker.enqueue(note('bytes'))
    const delivery = await takeOne(consume(broker))
    t.ok(delivery.body instanceof Uint8Array)
    t.same([...(delivery.body as Uint8Array).subarray(0, 2)], [0xff, 0x00])
    t.equal(nameOf(delivery), 'bytes')
  })
}

function nameOfMessage(message: Message): unknown {
  return message.args[0]
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('It did not reject.'),
    (error: Error) => error,
  )
}
