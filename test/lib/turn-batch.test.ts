import t from 'tap'
import { TurnBatch } from '../../lib/turn-batch.js'

t.test('items added in one turn are processed in one batch, in order', async (t) => {
  const batches: number[][] = []
  const batch = new TurnBatch<number>((items) => void batches.push(items))
  const first = batch.add(1)
  t.equal(batch.add(2), first, 'they share a promise')
  await Promise.resolve()
  batch.add(3)
  t.same(batches, [], 'not before the turn is over')
  await first
  t.same(batches, [[1, 2, 3]])
  await batch.add(4)
  t.same(batches, [[1, 2, 3], [4]])
})

t.test('a full batch is processed immediately', async (t) => {
  const batches: number[][] = []
  const batch = new TurnBatch<number>((items) => void batches.push(items), { most: 2 })
  const promises = [1, 2, 3].map((item) => batch.add(item))
  t.same(batches, [[1, 2]])
  t.not(promises[0], promises[2])
  await Promise.all(promises)
  t.same(batches, [[1, 2], [3]])
})

t.test('the failure of a batch rejects all of its items, and no others', async (t) => {
  for (const fail of [
    (): never => {
      throw new Error('at once')
    },
    async (): Promise<void> => {
      throw new Error('later')
    },
  ]) {
    const batch = new TurnBatch<string>((items) => (items.includes('bad') ? fail() : undefined), { most: 2 })
    const outcomes = await Promise.allSettled(['good', 'bad', 'good', 'good'].map((item) => batch.add(item)))
    t.same(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled', 'fulfilled'],
    )
    await batch.add('good')
  }
})

t.test('idle waits for batches that have started, until they succeed or fail', async (t) => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const done: string[] = []
  const batch = new TurnBatch<string>(async ([item]) => {
    if (item === 'slow') await held
    done.push(item as string)
    if (item === 'bad') throw new Error('bad')
  })
  await batch.idle()
  const slow = batch.add('slow')
  const bad = new Promise((resolve) => setImmediate(() => resolve(batch.add('bad').catch(() => {}))))
  await bad
  const idle = batch.idle().then(() => done.push('idle'))
  release()
  await Promise.all([slow, idle])
  t.same(done, ['bad', 'slow', 'idle'])
})

t.test(
  'an eager batch starts before the end of the turn if none is being processed, with all items added so far',
  async (t) => {
    const batches: number[][] = []
    let answer = (): void => {}
    const run = (items: number[]): Promise<void> => {
      batches.push(items)
      return new Promise((resolve) => {
        answer = resolve
      })
    }
    const batch = new TurnBatch<number>(run, { eager: true })
    let turns = 0
    const turn = new Promise<void>((resolve) => setImmediate(() => resolve(void turns++)))
    for (const item of [1, 2]) void batch.add(item)
    await new Promise<void>((resolve) => process.nextTick(resolve))
    t.same([turns, batches], [0, [[1, 2]]])
    const third = batch.add(3)
    await new Promise<void>((resolve) => process.nextTick(resolve))
    t.same(batches, [[1, 2]], 'while one is being processed, the next is collected for a whole turn')
    await turn
    await new Promise(setImmediate)
    t.same(batches, [[1, 2], [3]])
    answer()
    await third
  },
)

t.test('a batch never exceeds its maximum weight, unless a single item does', async (t) => {
  const batches: number[][] = []
  const batch = new TurnBatch<number>((items) => void batches.push(items), { most: 10, weigh: (item) => item })
  await Promise.all([4, 5, 2, 12, 1].map((item) => batch.add(item)))
  t.same(batches, [[4, 5], [2], [12], [1]])
})
