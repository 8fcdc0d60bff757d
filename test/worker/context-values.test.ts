/** Context values: from the sender to the actor and on to what it sends, inline and on threads alike. */
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import type { Message } from '../../lib/message.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { failure, until } from '../support/memory.js'

const broker = new MemoryBroker()
setBroker(broker)
captureLog()
// What threads log is their own.
process.env.DRAMATIS_LOG_LEVEL = 'silent'
const actors = await import('../support/actors/context.js')
const { requestId, tenant, user, seen } = actors
const modules = [new URL('../support/actors/context.ts', import.meta.url).href]
const waitOptions = { timeout: '20s' } as const

/** Every message that was stored. */
const stored: Message[] = []
broker.use({ name: 'spy', afterEnqueue: (message: Message) => void stored.push(message) })
t.teardown(() => broker.close())

/** As a service does for each of its requests. */
function inRequest<T>(id: string, run: () => T): T {
  return requestId.run(id, () => tenant.run({ name: 'acme' }, run))
}

async function storedFor(actorName: string): Promise<Message> {
  const find = () => stored.find((message) => message.actorName === actorName)
  await until(() => find() !== undefined, `a message for ${actorName}`)
  return find() as Message
}

/** With a context that some producer wrote. */
const written = (context: unknown) => ({ options: { context } })

/** Everything that is asked of both kinds of workers. */
function ask(t: Test, onMain: boolean): void {
  t.beforeEach(() => {
    stored.length = 0
  })

  t.test('what the sender has, the actor has, where it runs, and so have the plugins around it', async (t) => {
    for (const actor of [seen, actors.seenAtOnce]) {
      const result = await (await inRequest('r1', () => actor.send())).result(waitOptions)
      t.match(result, { requestId: 'r1', tenant: 'acme', plugin: 'r1', isMainThread: onMain })
      t.same(result.order, ['within r1'], 'the value registered first is restored outermost')
    }
  })

  t.test('a message without values doesn’t see those of others', async (t) => {
    const ids = ['r1', undefined, 'r2', undefined, 'r3']
    const messages = await Promise.all(ids.map((id) => (id ? inRequest(id, () => seen.send()) : seen.send())))
    const results = await Promise.all(messages.map((message) => message.result(waitOptions)))
    t.same(
      results.map((result) => result.requestId),
      ids,
    )
    t.same(messages[1]?.options, {}, 'and carries nothing')
  })

  t.test('what an actor sends inherits them, as they are where it sends', async (t) => {
    const result = await (await inRequest('r1', () => actors.parent.send())).result(waitOptions)
    t.match(result, { requestId: 'r1', tenant: 'acme' })
    const without = inRequest('r1', () => actors.parent.send('without a request id'))
    t.same((await (await without).result(waitOptions)).context, { tenant: 'acme' })
  })

  t.test('a value that nothing here reads is passed on', async (t) => {
    const context = { requestId: 'r1', 'trace id': { deep: [1, null] } }
    const { options } = written(context)
    const result = await (await actors.parent.sendWithOptions({ options })).result(waitOptions)
    t.same(result.context, context)
    t.equal(result.requestId, 'r1')
  })

  t.test('listeners of its signal are called with them', async (t) => {
    const message = await inRequest('r1', () => actors.stopped.send())
    await t.rejects(message.result(waitOptions), failure('TimeLimitExceeded'))
    t.same((await storedFor('seen')).options.context, { requestId: 'r1', tenant: 'acme' })
  })

  t.test('retries have them as they were sent', async (t) => {
    const ann = { name: 'ann', roles: ['guest'] }
    const result = await (await inRequest('r1', () => user.run(ann, () => actors.flaky.send()))).result(waitOptions)
    t.match(result, { requestId: 'r1', tenant: 'acme' })
    t.same(result.user, ann, 'whatever an attempt made of them')
  })

  t.test('callbacks get those of the message that they follow', async (t) => {
    await inRequest('r1', () => seen.sendWithOptions({ onSuccess: actors.callback }))
    t.match(await (await storedFor('callback')).result(waitOptions), { requestId: 'r1', tenant: 'acme' })
    stored.length = 0
    await inRequest('r2', () => actors.failing.sendWithOptions({ args: ['no'], onRetryExhausted: actors.callback }))
    t.match(await (await storedFor('callback')).result(waitOptions), { requestId: 'r2', tenant: 'acme' })
  })

  t.test('the next step of a pipeline has its own, or those of the step before', async (t) => {
    const own = inRequest('own', () => actors.callback.message())
    for (const [step, id] of [
      [own, 'own'],
      [actors.callback.message(), 'r1'],
    ] as const) {
      const options = { pipe_target: step.toWire() }
      await inRequest('r1', () => seen.sendWithOptions({ options }))
      t.match(await step.result(waitOptions), { requestId: id })
    }
  })

  t.test('a batch has none, whoever sent its items; each item has its own in its message', async (t) => {
    const requests = [['r1'], ['r1', 'r2', 'r3']]
    for (const ids of requests) {
      const messages = await Promise.all(ids.map((id) => requestId.run(id, () => actors.batch.send(1))))
      const results = await Promise.all(messages.map((message) => message.result(waitOptions)))
      t.same(
        results,
        ids.map((id) => ({ inBatch: null, sent: null, ofItem: { requestId: id } })),
      )
    }
  })

  t.test('the option may be anything that another producer means by it', async (t) => {
    for (const context of [null, 5, 'a text', [{ requestId: 'r1' }], true]) {
      const message = await actors.parent.sendWithOptions(written(context))
      const result = await message.result(waitOptions)
      t.equal(result.requestId, undefined, JSON.stringify(context))
      t.equal(result.context, undefined, 'and it isn’t passed on')
    }
    const odd = JSON.parse('{ "__proto__": { "requestId": "r1" }, "toString": 1 }') as object
    const result = await (await actors.parent.sendWithOptions(written(odd))).result(waitOptions)
    t.equal(result.requestId, undefined)
    t.equal(JSON.stringify(result.context), JSON.stringify(odd))
  })

  t.test('a source that fails to restore a value fails the attempt', async (t) => {
    for (const [fault, type, text] of [
      ['throws', 'RangeError', 'no such user'],
      ['throws too late', 'RangeError', 'too late'],
      ['returns without next', 'DramatisError', /must call next\(\)/],
      ['calls next twice', 'DramatisError', /called more than once/],
    ] as const) {
      await t.rejects((await seen.sendWithOptions(written({ fault }))).result(waitOptions), failure(type, text), fault)
    }
  })

  t.test('otherwise the outcome is that of the actor, whatever the source makes of it', async (t) => {
    t.match(await (await seen.sendWithOptions(written({ fault: 'none' }))).result(waitOptions), {
      isMainThread: onMain,
    })
    for (const fault of ['none', 'throws too late']) {
      const message = await actors.failing.sendWithOptions({ args: ['its own'], ...written({ fault }) })
      await t.rejects(message.result(waitOptions), failure('TypeError', 'its own'), fault)
    }
  })
}

for (const threads of [0, 1]) {
  t.test(threads === 0 ? 'inline' : 'on a thread', async (t) => {
    const worker = new Worker(broker, { threads, concurrency: 4, modules })
    t.teardown(() => worker.stop({ timeout: 0 }))
    await worker.start()
    ask(t, threads === 0)
  })
}
