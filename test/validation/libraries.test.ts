/** Schemas of zod, valibot and arktype: one table, asked inline and on threads. */
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { InvalidArguments } from '../../lib/errors.js'
import { Message } from '../../lib/message.js'
import { Worker } from '../../lib/worker/worker.js'
import { orders, pairs, registrations, versioned } from '../support/actors/validated.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'

const broker = new MemoryBroker()
setBroker(broker)
const log = captureLog()
t.teardown(() => broker.close())

const modules = [new URL('../support/actors/validated.ts', import.meta.url).href]
const waitOptions = { timeout: '30s' } as const
const order = { to: 'ada@example.com', at: '2026-01-02T03:04:05.000Z' }

/** A message as another program could have sent it, whose arguments nobody has checked. */
function unchecked(actorName: string, args: readonly unknown[], options = {}): Promise<Message> {
  const message = { queueName: 'default', actorName, args, options: { store_results: true, ...options } }
  return broker.enqueue(new Message(message))
}

async function work(t: Test, threads: number): Promise<void> {
  const worker = new Worker(broker, { threads, modules })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
}

/** What holds inline holds on threads. */
function ask(t: Test, inline: boolean): void {
  t.test('the actor receives dates, made of the texts that were sent', async (t) => {
    for (const [library, actor] of Object.entries(orders)) {
      const message = await actor.send(order)
      t.same(message.args, [order], `${library}: what is stored is what was sent`)
      t.same(await message.result(waitOptions), { ...order, isDate: true, inline }, library)
    }
  })

  t.test('each argument has its schema, and those at the end may be omitted', async (t) => {
    for (const [library, actor] of Object.entries(pairs)) {
      t.equal(await (await actor.send(3)).result(waitOptions), '3 m', library)
      t.equal(await (await actor.send(3, 'km')).result(waitOptions), '3 km', library)
    }
  })

  t.test('what a schema refuses is refused by send, with the path and what was expected', async (t) => {
    for (const [library, actor] of Object.entries(orders)) {
      const error = await actor.send({ ...order, to: 'ada' }).catch((reason) => reason)
      t.ok(error instanceof InvalidArguments, library)
      t.same(error.issues[0].path, [0, 'to'], library)
      const named = `The actor "${actor.actorName}" can't take these arguments. args[0].to: `
      t.equal(error.message.slice(0, named.length), named, library)
      t.match(error.message, /email/, library)
    }
    t.equal((await broker.stats('default')).ready, 0)
  })

  t.test('what is refused where the actor runs is dead-lettered with the issues, at the first attempt', async (t) => {
    for (const [library, { actorName }] of Object.entries(orders)) {
      await broker.flushAll()
      const message = await unchecked(actorName, [{ ...order, at: 'yesterday' }])
      await t.rejects(
        async () => broker.results?.get(message, waitOptions),
        failure('InvalidArguments', /args\[0\]\.at: /),
        library,
      )
      await broker.join('default', waitOptions)
      const { letters } = await broker.deadLetters('default')
      t.equal(letters.length, 1, library)
      t.match(letters[0]?.reason, /^InvalidArguments: The actor .*args\[0\]\.at: .*\(not to be retried\)$/, library)
      t.notOk(Message.decode(letters[0]?.body ?? '').options.retries, library)
    }
  })

  t.test('async schemas are awaited in both places', async (t) => {
    for (const [library, actor] of Object.entries(registrations)) {
      t.equal(await (await actor.send('grace')).result(waitOptions), 'grace', library)
      await t.rejects(
        actor.send('ada'),
        { name: 'InvalidArguments', message: /args\[0\]: This name is taken$/ },
        library,
      )
      const message = await unchecked(actor.actorName, ['ada'])
      const refused = failure('InvalidArguments', 'This name is taken')
      await t.rejects(async () => broker.results?.get(message, waitOptions), refused, library)
    }
  })

  t.test('older messages are migrated, and newer ones wait', async (t) => {
    const send = async (version: number, ...args: unknown[]) =>
      broker.results?.get(await unchecked('versioned', args, { version }), waitOptions)
    t.equal(await (await versioned.send({ to: 'grace' })).result(waitOptions), 'grace')
    t.equal(await send(1, 'ada'), 'ada')
    await t.rejects(send(1, 5), failure('InvalidArguments', /args\[0\]\.to: /))
    await t.rejects(send(0, 'alan'), failure('MigrationFailed', 'no idea what alan was'))

    const { dead } = await broker.stats('default')
    await unchecked('versioned', [{ to: 'edsger' }], { version: 3 })
    await until(async () => (await broker.stats('default')).delayed === 1, 'the message to wait')
    t.equal((await broker.stats('default')).dead, dead)
    t.ok(log.some(({ text }) => /no attempt counted: The message is of version 3/.test(text)))
  })
}

t.test('inline', async (t) => {
  await work(t, 0)
  ask(t, true)
})

t.test('on threads', async (t) => {
  await work(t, 2)
  ask(t, false)
})
