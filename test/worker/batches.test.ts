/** Batch actors: one table of behaviour, asked of both runners. */
import t, { type Test } from 'tap'
import * as actors from '../support/actors/batches.js'
import { broker, lists, waitOptions, work } from '../support/batch-workers.js'
import { failure, until } from '../support/memory.js'

async function results<R>(messages: readonly { result(options: typeof waitOptions): Promise<R> }[]): Promise<R[]> {
  return Promise.all(messages.map((message) => message.result(waitOptions)))
}

/** Everything that is asked of a runner, and answered in one and the same way. */
function ask(t: Test): void {
  t.test('a batch runs at once when it is full, with an item for each message in their order', async (t) => {
    const messages = await actors.full.sendMany(lists(1, 2, 3, 4, 5, 6, 7, 8))
    const found = await results(messages)
    t.same(
      found.map(({ item }) => item),
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
    for (const [at, { items, index, id, first }] of found.entries()) {
      t.same(items, at < 4 ? [1, 2, 3, 4] : [5, 6, 7, 8])
      t.equal(index, at % 4)
      t.equal(id, messages[at]?.messageId, 'current().messages are those of the items')
      t.equal(first, messages[at < 4 ? 0 : 4]?.messageId, 'current().message is the first')
    }
  })

  t.test('a batch that isn’t full runs when its first message has waited long enough', async (t) => {
    const messages = await actors.lingers.sendMany(lists(1, 2, 3))
    await until(async () => (await broker.stats('default')).inFlight === 3)
    await broker.advance('1m')
    const found = await results(messages)
    for (const { items } of found) t.same(items, [1, 2, 3])
  })

  t.test('without a time to linger a batch has what was there', async (t) => {
    for (const { items } of await results(await actors.atOnce.sendMany(lists(1, 2)))) t.same(items, [1, 2])
  })

  t.test('actors aren’t mixed in a batch', async (t) => {
    const sent = [actors.full, actors.lingers].flatMap((actor) => [1, 2, 3, 4].map((n) => actor.message(n)))
    const mixed = sent.map((_, index) => sent[(index % 2) * 4 + (index >> 1)] as (typeof sent)[0])
    await broker.enqueueMany(mixed)
    await results(sent.slice(0, 4))
    await until(async () => (await broker.stats('default')).inFlight === 4)
    await broker.advance('1m')
    for (const { items } of await results(sent)) t.same(items, [1, 2, 3, 4])
  })

  t.test('a BatchError fails single messages, each with its own error; the others have results', async (t) => {
    const [good, bad, skipped, other] = await actors.picky.sendMany(lists(1, -2, 0, 3))
    t.equal(await good?.result(waitOptions), 10)
    t.equal(await other?.result(waitOptions), 30)
    t.equal(await skipped?.result(waitOptions), null)
    t.equal((await broker.stats('default')).dead, 0)
    // Its second attempt is in a batch with these.
    const [again, last, more] = await actors.picky.sendMany(lists(4, -5, 6))
    await t.rejects(async () => bad?.result(waitOptions), failure('RangeError', 'no -2'))
    t.same(await results([again, more] as NonNullable<typeof again>[]), [40, 60])
    await actors.picky.sendMany(lists(7, 8, 9))
    await t.rejects(async () => last?.result(waitOptions), failure('RangeError', 'no -5'))
    const { letters } = await broker.deadLetters('default')
    t.match(letters[0]?.reason, 'RangeError: no -2 (after 1 retry)')
    await broker.flushAll()
  })

  t.test(
    'any other error fails all, each of which is retried; an attempt doesn’t see what another changed',
    async (t) => {
      const messages = await actors.again.sendMany([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
      t.match(await results(messages), [{ n: 1 }, { n: 2 }, { n: 3 }])
    },
  )

  t.test('with retryAlone a failed message runs in a batch of its own from then on', async (t) => {
    const messages = await actors.againAlone.sendMany([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
    t.same(
      await results(messages),
      [1, 2, 3].map((n) => ({ n, together: 1 })),
    )
  })

  t.test('a BatchError that names an item which isn’t there fails all', async (t) => {
    for (const message of await actors.wrongIndex.sendMany(lists(1, 2)))
      await t.rejects(message.result(waitOptions), failure('DramatisError', /names the item 2, but the batch has 2, /))
    await broker.flushAll()
  })

  t.test('a result that isn’t one for each item is refused where results are wanted', async (t) => {
    for (const items of [
      ['short', 'b'],
      ['c', 'd'],
    ]) {
      for (const message of await actors.wrongShape.sendMany(items.map((item) => [item])))
        await t.rejects(
          message.result(waitOptions),
          failure('NotSerializable', /an array of 2 results.*; got an (array|object)/),
        )
    }
    await broker.flushAll()
    await actors.wrongShape.sendMany([['a'], ['b']], { storeResults: false })
    await broker.join('default', waitOptions)
    t.equal((await broker.stats('default')).dead, 0, 'and ignored otherwise')
  })

  t.test('a result that JSON can’t carry fails its message alone', async (t) => {
    const [date, proxy, plain] = await actors.oddResults.sendMany([['date'], ['proxy'], ['plain']])
    await t.rejects(async () => date?.result(waitOptions), failure('NotSerializable', /result is a Date/))
    t.same(await proxy?.result(waitOptions), { a: 1 })
    t.equal(await plain?.result(waitOptions), 'fine')
    await broker.flushAll()
  })

  t.test('the result of a message goes to the next step of its pipeline', async (t) => {
    const next = [
      actors.double.messageWithOptions({ args: [] as never }),
      actors.double.messageWithOptions({ args: [] as never }),
    ]
    for (const [index, target] of next.entries())
      await actors.picky.sendWithOptions({ args: [index + 1], options: { pipe_target: target.toWire() } })
    await actors.picky.sendMany(lists(3, 4))
    t.same(await results(next), [20, 40])
  })
}

for (const threads of [0, 1]) {
  t.test(threads === 0 ? 'inline' : 'on threads', async (t) => {
    await work(t, { threads })
    ask(t)
  })

  t.test(`${threads} threads: a batch takes one slot, and one that gathers takes none`, async (t) => {
    await work(t, { threads, concurrency: 1 })
    const waiting = await actors.waits.sendMany(lists(1, 2, 3))
    t.equal(await (await actors.double.send(2)).result(waitOptions), 4, 'others run meanwhile')
    const found = await results(await actors.full.sendMany(lists(1, 2, 3, 4)))
    t.same(found[0]?.items, [1, 2, 3, 4], 'of one slot')
    t.equal((await broker.stats('default')).inFlight, waiting.length)
  })

  t.test(`${threads} threads: a batch can fill, however few messages the worker may hold`, async (t) => {
    await work(t, { threads, concurrency: 1, prefetch: 1 })
    await results(await actors.full.sendMany(lists(1, 2, 3, 4, 5, 6, 7, 8)))
    await results(await actors.fullAlone.sendMany(Array.from({ length: 40 }, (_, n) => [n])))
  })

  t.test(
    `${threads} threads: a batch that gathers returns to its queue when the worker stops, uncounted`,
    async (t) => {
      const worker = await work(t, { threads })
      await actors.waits.sendMany(lists(1, 2, 3))
      await until(async () => (await broker.stats('default')).inFlight === 3)
      await worker.stop()
      t.match(await broker.stats('default'), { ready: 3, inFlight: 0, dead: 0 })
      const consumer = broker.consume('default', { prefetch: 3 })
      for (const { deliveryCount } of await consumer.take(3)) t.equal(deliveryCount, 1)
      await consumer.close()
    },
  )
}
