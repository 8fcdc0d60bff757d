/** Failures, batches, and messages that follow a message, with a worker on the broker. */
import { actor } from '../../../lib/actor.js'
import { batchActor } from '../../../lib/batch-actor.js'
import type { Broker } from '../../../lib/broker.js'
import { BatchError } from '../../../lib/errors.js'
import { getLogger, setLogger } from '../../../lib/logger.js'
import { Worker } from '../../../lib/worker/worker.js'
import { Callbacks } from '../../../middleware/callbacks.js'
import { Pipelines } from '../../../middleware/pipelines.js'
import { Retries } from '../../../middleware/retries.js'
import { consume, type Exam, nameOf, note, type Question, queueName, takeOne } from './exam.js'

const chain = () => [new Callbacks(), new Pipelines(), new Retries({ maxRetries: 2, minBackoff: 1, maxBackoff: 1 })]

/** Starts a worker on the broker, and collects the errors that it logs. */
async function work(t: Question['t'], broker: Broker): Promise<string[]> {
  const logger = getLogger()
  const errors: string[] = []
  const nothing = (): void => {}
  setLogger({ debug: nothing, info: nothing, warn: nothing, error: (_, text) => void errors.push(text) })
  const worker = new Worker(broker, { threads: 0, queues: [queueName] })
  t.teardown(async () => {
    setLogger(logger)
    await worker.stop({ timeout: 0 })
  })
  await worker.start()
  return errors
}

export function failures(exam: Exam): void {
  exam.ask('a message that was stored before has no size limit when it is stored again', async ({ t, open }) => {
    const broker = await open({ maxMessageSize: 2000 })
    const consumer = consume(broker)
    const big = note('x'.repeat(3000))
    await broker.enqueue(note('first'))
    await consumer.ack(await takeOne(consumer), [{ message: big, delay: 10, stored: true }])

    const retried = await takeOne(consumer)
    t.equal(nameOf(retried), nameOf({ body: big.encode() }))
    await consumer.requeue(retried, { counted: true })
    await consumer.deadLetter(await takeOne(consumer), { reason: 'no' }, [{ message: big, stored: true }])
    await consumer.ack(await takeOne(consumer), [])

    const [letter] = (await broker.deadLetters(queueName)).letters
    t.ok(letter && (await broker.requeueDeadLetter(letter.id)))
    t.equal(nameOf(await takeOne(consumer)), nameOf(retried))
  })

  exam.ask('an error of a megabyte, or arguments near the limit, are retried like any other', async ({ t, open }) => {
    const broker = await open({ middleware: chain(), maxMessageSize: 100_000 })
    let runs = 0
    const fail = async (document: string): Promise<void> => {
      runs++
      throw new Error(document.length > 1000 ? '503' : `invalid: ${'ü'.repeat(600_000)}`)
    }
    const fails = actor(fail, { actorName: 'fails', broker, queueName })
    await work(t, broker)
    await fails.send('short')
    await fails.send('x'.repeat(99_000))
    await broker.join(queueName, { timeout: '20s' })
    t.equal(runs, 6)
    const { letters } = await broker.deadLetters(queueName)
    t.equal(letters.length, 2)
    for (const { reason, traceback } of letters) {
      t.match(reason, /^Error: (503|invalid: ü+… \(59\d{4} more characters\)) \(after 2 retries\)$/)
      t.ok(Buffer.byteLength(reason) < 8300 && Buffer.byteLength(traceback ?? '') < 8300)
    }
  })

  exam.ask('a following message that can’t be sent does not undo the settlement', async ({ t, open }) => {
    const broker = await open({ middleware: chain(), maxMessageSize: 2000 })
    const told: string[] = []
    const tell = actor((_message: object, result: unknown) => void told.push(String(result).slice(0, 5)), {
      actorName: 'tell',
      broker,
      queueName,
    })
    const long = actor((length: number) => 'y'.repeat(length), {
      actorName: 'long',
      broker,
      queueName,
      onSuccess: tell,
    })
    const sad = actor(
      (_text: string): void => {
        throw new Error('sad')
      },
      { actorName: 'sad', broker, queueName, onFailure: tell, maxRetries: 0 },
    )
    const errors = await work(t, broker)

    await long.send(3000)
    await long.sendWithOptions({ args: [5], options: { pipe_target: long.message(1).toWire() } })
    await broker.join(queueName, { timeout: '20s' })
    t.same(told, ['yyyyy', 'y'])
    t.match(errors, [/"long" was not sent, to "tell".*maxMessageSize/])
    t.equal((await broker.stats(queueName)).dead, 0)

    await sad.send('z'.repeat(1700))
    await broker.join(queueName, { timeout: '20s' })
    t.equal(told.length, 3, 'the failure that a callback receives was stored before')
    t.match((await broker.deadLetters(queueName)).letters, [{ reason: 'Error: sad' }])
  })

  exam.ask('a batch fills with messages that wait, and each of them is settled by itself', async ({ t, open }) => {
    const broker = await open({ middleware: chain() })
    const runs = new Map<number, number>()
    const sizes: number[] = []
    const odd = batchActor(
      (numbers: number[]) => {
        sizes.push(numbers.length)
        for (const n of numbers) runs.set(n, (runs.get(n) ?? 0) + 1)
        const isOdd = [...numbers.entries()].filter(([, n]) => n % 2 === 1)
        throw new BatchError(isOdd.map(([index, n]) => [index, new Error(`${n} is odd`)] as const))
      },
      { actorName: 'odd', broker, queueName, size: 50, linger: '5s' },
    )
    await odd.sendMany(Array.from({ length: 100 }, (_, n) => [n]))
    await work(t, broker)
    await broker.join(queueName, { timeout: '20s' })
    t.same(sizes.slice(0, 2), [50, 50])
    t.same(
      Array.from({ length: 100 }, (_, n) => runs.get(n)),
      Array.from({ length: 100 }, (_, n) => (n % 2 === 1 ? 3 : 1)),
    )
    const { letters } = await broker.deadLetters(queueName)
    t.same(letters.length, 50)
    for (const { reason } of letters) t.match(reason, /^Error: \d+ is odd \(after 2 retries\)$/)
  })
}
