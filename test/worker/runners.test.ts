/** Inline (`threads: 0`) and on threads an actor is the same: one table, asked of both. */
import { BroadcastChannel } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { type ResultFailure, Shutdown } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import type { Outcome } from '../../lib/outcome.js'
import { interrupt } from '../../lib/worker/interrupt.js'
import { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/runners.js'
import { captureLog } from '../support/log.js'
import { failure } from '../support/memory.js'

const broker = new MemoryBroker()
setBroker(broker)
captureLog()
t.teardown(() => broker.close())

/** What a plugin is shown that doesn't say when it wants results. */
let outcomes: Outcome[] | undefined
const spy = { name: 'spy', afterProcessMessage: (_: unknown, outcome: Outcome) => void outcomes?.push(outcome) }

const modules = [new URL('../support/actors/runners.ts', import.meta.url).href]
const waitOptions = { timeout: '30s' } as const

let running: Worker

async function work(t: Test, threads: number): Promise<void> {
  const worker = new Worker(broker, { threads, concurrency: 4, modules })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  running = worker
}

/** Everything that is asked of a runner, and answered in one and the same way. */
function ask(t: Test): void {
  t.test('a result is the JSON that it is, whoever waits for it', async (t) => {
    for (const [what, make] of Object.entries(actors.plain)) {
      const expected = JSON.parse(JSON.stringify((await make()) ?? null)) as unknown
      for (const actor of [actors.answer, actors.answerAtOnce]) {
        t.same(await (await actor.send(what)).result(waitOptions), expected, what)
      }
    }
  })

  t.test('one that JSON would lose or change is refused, with the path to the culprit', async (t) => {
    for (const [what, [, said]] of Object.entries(actors.odd)) {
      const type = what === 'throwingThen' ? 'RangeError' : 'NotSerializable'
      for (const actor of [actors.answer, actors.answerAtOnce]) {
        await t.rejects((await actor.send(what)).result(waitOptions), failure(type, said), what)
      }
    }
    await broker.flushAll()
    for (const what of Object.keys(actors.odd)) if (what !== 'throwingThen') await actors.unwanted.send(what)
    await broker.join('default', waitOptions)
    t.equal((await broker.stats('default')).dead, 0, 'which harms nobody where the result isn’t wanted')
  })

  t.test('a generator that comes out of a promise is refused, since nothing of it has run', async (t) => {
    for (const isAsync of [true, false]) {
      const message = await actors.generates.sendWithOptions({ args: [isAsync], storeResults: false })
      await broker.join('default', waitOptions)
      const { letters } = await broker.deadLetters('default')
      t.match(letters.at(-1)?.reason, /^NotSerializable: The actor "generates" returned a generator/, `${message}`)
    }
    await broker.flushAll()
  })

  t.test('current() is there for those who listen to its signal', async (t) => {
    const channel = new BroadcastChannel('listens')
    const ready = new Promise((resolve) => {
      channel.onmessage = resolve
    })
    const sent = await actors.listens.send()
    await ready
    channel.close()
    const message = [...running.messages].find(({ messageId }) => messageId === sent.messageId) as Message
    interrupt(message, new Shutdown())
    t.equal(await sent.result(waitOptions), sent.messageId)
  })

  t.test('what is passed on to another actor is held to the same', async (t) => {
    const next = actors.handedOn.messageWithOptions({ args: ['first'] as never })
    const pipe = { options: { pipe_target: next.toWire() } }
    await actors.unwanted.sendWithOptions({ args: ['nested'], ...pipe })
    t.same(await next.result(waitOptions), { a: [1, { b: null }], '': true })
    for (const what of ['money', 'url']) {
      await broker.flushAll()
      await actors.callsBack.send(what)
      await actors.unwanted.sendWithOptions({ args: [what], ...pipe })
      await broker.join('default', waitOptions)
      const { letters } = await broker.deadLetters('default')
      t.same(
        letters.map(({ reason }) => reason.startsWith('NotSerializable: result.')),
        [true, true],
        what,
      )
    }
  })

  t.test('what an actor does to its arguments no other attempt sees', async (t) => {
    const args: Parameters<typeof actors.spoil> = [[1, 2], { seen: 0, deep: { a: 1 } }]
    const seen = JSON.stringify([...args, args])
    t.equal(await (await actors.spoil.send(...args)).result(waitOptions), seen)
    const named = await actors.spoilNamed.sendWithOptions({ args: [] as never, kwargs: { list: [1] } })
    t.equal(await named.result(waitOptions), '{"list":[1]}')
  })

  t.test('an actor has the same surroundings', async (t) => {
    const expected = { self: true, frozen: true, same: true, sameArgs: true, leaked: null, aborted: false }
    t.match(await (await actors.surroundings.send()).result(waitOptions), { args: 0, ...expected })
    t.match(await (await actors.surroundings.send(1, { a: 1 }, [2])).result(waitOptions), { args: 3, ...expected })
    const named = await actors.surroundings.sendWithOptions({ args: [1], kwargs: { by: 'name' } })
    t.match(await named.result(waitOptions), { args: 2, frozen: true, aborted: false })
  })

  t.test('at its limit it is stopped with the same reason, and fails with that whatever it throws then', async (t) => {
    for (const how of ['reason', 'abort', 'other', 'return']) {
      const error = (await (
        await actors.stopped.send(how)
      )
        .result(waitOptions)
        .catch((error) => error)) as ResultFailure
      t.match(error, failure('TimeLimitExceeded', 'its time limit of 20 ms.'), how)
      const cause =
        how === 'abort' ? /Caused by AbortError: aborted\n/ : how === 'other' ? /Caused by Error: gave up\n/ : undefined
      if (cause) t.match(error.traceback, cause)
      else t.notMatch(error.traceback, /Caused by/, `${how}: it isn't its own cause`)
    }
    await t.rejects(
      (await actors.reject.send()).result(waitOptions),
      failure('Error', 'no Error was thrown: undefined'),
    )
  })
}

for (const threads of [0, 1]) {
  t.test(threads === 0 ? 'inline' : 'on threads', async (t) => {
    await work(t, threads)
    ask(t)
  })
}

t.test('a plugin is shown a result as well as it can be carried, and none that nobody needs', async (t) => {
  for (const threads of [0, 1]) {
    outcomes = []
    await t.test(`${threads} threads, nobody looks`, async (t) => {
      broker.use({ ...spy, wantsResult: () => false })
      await work(t, threads)
      await actors.unwanted.send('nested')
      await broker.join('default', waitOptions)
      t.equal(outcomes?.at(-1)?.result, undefined)
    })
  }
  broker.use(spy)
  for (const threads of [0, 1]) {
    outcomes = []
    await t.test(`${threads} threads, somebody does`, async (t) => {
      await work(t, threads)
      const results: unknown[] = []
      for (const what of ['nested', 'text', 'null', 'nothing', 'date', 'fn']) {
        await actors.unwanted.send(what)
        await broker.join('default', waitOptions)
        results.push(outcomes?.at(-1)?.result)
      }
      t.match(results, [{ a: [1] }, /^ünï/, null, undefined, [new Date(0)]])
      t.equal(typeof (results.at(-1) as { a?: unknown } | undefined)?.a, threads === 0 ? 'function' : 'undefined')
    })
  }
})
