/** Batch actors on the test broker. */
import t from 'tap'
import { batchActor, current } from '../../lib/index.js'
import { testBroker } from '../../testing/index.js'

t.test('perform runs a message in a batch of its own; drain and advance let batches gather', async (t) => {
  const broker = testBroker()
  t.teardown(() => broker.close())
  const batches: number[][] = []
  const add = batchActor(
    async function add(numbers: number[]) {
      batches.push(numbers)
      return numbers.map((n) => n + current().messages.length)
    },
    { broker, linger: '1m', storeResults: true },
  )
  t.equal(await broker.perform(add, [1]), 2)
  t.same(batches, [[1]])
  await add.sendMany([[2], [3], [4]])
  await broker.advance('1m')
  t.same(batches, [[1], [2, 3, 4]])
  const soon = batchActor(
    async function soon(numbers: number[]) {
      batches.push(numbers)
    },
    { broker, linger: 5 },
  )
  await soon.sendMany([[5], [6]])
  await broker.drain()
  t.same(batches.at(-1), [5, 6])
})
