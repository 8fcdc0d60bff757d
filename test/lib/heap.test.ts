import t from 'tap'
import { Heap } from '../../lib/heap.js'

t.test('the lowest item is removed first; of equal items the one added first', async (t) => {
  const heap = new Heap<string>()
  t.equal(heap.peek(), undefined)
  t.equal(heap.pop(), undefined)
  t.equal(heap.peekRank(), Number.POSITIVE_INFINITY)
  for (const [item, rank] of [
    ['c', 3],
    ['a1', 1],
    ['b', 2],
    ['a2', 1],
    ['a3', 1],
  ] as const)
    heap.push(item, rank)
  t.equal(heap.peek(), 'a1')
  t.equal(heap.peekRank(), 1)
  t.equal(heap.size, 5)
  t.same(drain(heap), ['a1', 'a2', 'a3', 'b', 'c'])
})

t.test('thousands of items are returned in order, even if some are removed in between', async (t) => {
  const heap = new Heap<{ rank: number; index: number }>()
  // A fixed pseudorandom sequence, so that every run is the same.
  let seed = 1
  for (let index = 0; index < 5000; index++) {
    seed = (seed * 48_271) % 2_147_483_647
    heap.push({ rank: seed % 100, index }, seed % 100)
  }
  heap.sweep(({ index }) => index % 3 !== 0)
  const items = drain(heap)
  t.equal(items.length, 3333)
  const sorted = [...items].sort((a, b) => a.rank - b.rank || a.index - b.index)
  t.same(items, sorted)
})

t.test('clear empties it', async (t) => {
  const heap = new Heap<number>()
  heap.push(1, 1)
  heap.clear()
  t.equal(heap.size, 0)
  heap.push(2, 2)
  t.equal(heap.pop(), 2)
})

function drain<T>(heap: Heap<T>): T[] {
  const items: T[] = []
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) items.push(item)
  return items
}
