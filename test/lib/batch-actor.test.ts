import t from 'tap'
import { BatchError, batchActor, current, InvalidName, InvalidOption } from '../../lib/index.js'
import { stage } from '../support/memory.js'

t.test('a batch actor is called as its function is, with a message for each item', async (t) => {
  const upper = batchActor(async function upper(texts: string[]) {
    t.same(
      current().messages.map(({ args }) => args),
      texts.map((text) => [text]),
    )
    t.same(current().message.args, texts.length > 0 ? [texts[0]] : [[]])
    return texts.map((text) => text.toUpperCase())
  })
  t.same(await upper(['a', 'b']), ['A', 'B'])
  t.same(await upper([]), [])
  t.same(upper.batch, { size: 100, linger: 50, retryAlone: false })
})

t.test('it is declared with the options of every actor and its own, which are checked', async (t) => {
  const { broker } = stage(t)
  const made = batchActor((_: number[]) => {}, {
    actorName: 'made',
    queueName: 'rows',
    maxRetries: 2,
    broker,
    size: 5,
    linger: '2s',
    retryAlone: true,
  })
  const { actorName, queueName, options } = made
  t.same({ actorName, queueName, options }, { actorName: 'made', queueName: 'rows', options: { maxRetries: 2 } })
  t.same(made.batch, { size: 5, linger: 2000, retryAlone: true })
  t.equal(broker.actors.get('made'), made)
  t.same((await made.send(7)).args, [7])
  for (const wrong of [{ size: 0 }, { size: 1.5 }, { linger: 'soon' }, { retryAlone: 1 }, { sise: 3 }])
    t.throws(() => batchActor((_: number[]) => {}, { actorName: 'wrong', ...wrong } as object), InvalidOption)
  t.throws(() => batchActor((_: number[]) => {}), InvalidName)
  t.throws(() => batchActor('insert' as never), InvalidOption)
})

t.test('a BatchError is of indices, and has the first of its errors in its message', (t) => {
  const error = new BatchError(new Map([[2, new TypeError('no such user')]]), { results: [1, 2] })
  t.match(error.message, /1 in all: no such user/)
  t.match(error.errors.get(2), TypeError)
  t.same(error.results, [1, 2])
  for (const index of [-1, 0.5, '1'])
    t.throws(() => new BatchError(new Map([[index as number, new Error('x')]])), InvalidOption)
  t.end()
})
