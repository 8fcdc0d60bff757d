/** Batch actors that run inline and on threads: imported by the tests and, again, by their threads. */
import { threadId } from 'node:worker_threads'
import { actor, BatchError, batchActor, current, SkipMessage } from '../../../lib/index.js'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const shared = { storeResults: true, maxRetries: 0 } as const
const quick = { ...shared, maxRetries: 1, minBackoff: 1, maxBackoff: 1 } as const
const never = '1h'

/** Returns for each item what it was in its batch. */
const describeItems = async (items: number[]) => {
  await wait(1)
  const ids = current().messages.map(({ messageId }) => messageId)
  return items.map((item, index) => ({
    item,
    index,
    items,
    id: ids[index],
    first: current().message.messageId,
    threadId,
  }))
}

/** It only runs when it is full. */
export const full = batchActor(describeItems, { ...shared, actorName: 'full', size: 4, linger: never })
/** The same on a queue that it has for itself. */
export const fullAlone = batchActor(describeItems, {
  ...shared,
  actorName: 'fullAlone',
  queueName: 'batches',
  size: 20,
  linger: never,
})
/** It is never full. */
export const lingers = batchActor(describeItems, { ...shared, actorName: 'lingers', size: 1000, linger: '1m' })
export const atOnce = batchActor(describeItems, { ...shared, actorName: 'atOnce', size: 1000, linger: 0 })
/** It never runs. */
export const waits = batchActor(describeItems, { ...shared, actorName: 'waits', size: 1000, linger: never })

export const double = actor(function double(n: number) {
  return 2 * n
}, shared)

/** Fails those below 0, and skips 0. */
export const picky = batchActor(
  async function picky(items: number[]) {
    const errors = new Map<number, unknown>()
    for (const [index, item] of items.entries()) {
      if (item < 0) errors.set(index, new RangeError(`no ${item}`))
      if (item === 0) errors.set(index, new SkipMessage('nothing to do'))
    }
    throw new BatchError(errors, { results: items.map((item) => item * 10) })
  },
  { ...quick, size: 4, linger: never },
)

/** Fails all the first time. What it does to an item, the second attempt doesn't see. */
const failOnce = async (items: { n: number }[]) => {
  const seen = items.map(({ n }) => n)
  for (const item of items) item.n = -1
  if (!current().message.options.retries) throw new TypeError('all of them')
  return seen.map((n) => ({ n, together: items.length }))
}
export const again = batchActor(failOnce, { ...quick, actorName: 'again', size: 3, linger: 100 })
export const againAlone = batchActor(failOnce, {
  ...quick,
  actorName: 'againAlone',
  size: 3,
  linger: never,
  retryAlone: true,
})

export const wrongIndex = batchActor(
  function wrongIndex(items: number[]) {
    throw new BatchError([[items.length, new Error('off by one')]])
  },
  { ...shared, size: 2, linger: never },
)

/** What it returns is no array of as many results. */
export const wrongShape = batchActor(
  function wrongShape(items: string[]) {
    return items.includes('short') ? [1] : ({ rows: items.length } as unknown as number[])
  },
  { ...shared, size: 2, linger: never },
)

/** Results of which JSON carries some, and a thread can't send others. */
export const oddResults = batchActor(
  function oddResults(items: string[]) {
    const odd: Record<string, unknown> = { date: new Date(0), proxy: new Proxy({ a: 1 }, {}), plain: 'fine' }
    return items.map((item) => odd[item])
  },
  { ...shared, storeResults: true as boolean, size: 3, linger: never },
)

/** Runs until its signal aborts, or until it was asked to end. */
export const stopped = batchActor(
  async function stopped(items: number[]) {
    const { signal } = current()
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => (items.includes(0) ? resolve() : reject(signal.reason)))
    })
    return items
  },
  { ...shared, size: 3, linger: never, timeLimit: 100 },
)

/** Runs for a while. */
export const naps = batchActor(
  async function naps(ms: number[]) {
    await wait(Math.max(...ms))
    return ms.map(() => current().signal.aborted)
  },
  { ...shared, size: 2, linger: never },
)

// — On threads only ——————————————————————————————————————————————————————————————————————————————————————

export const spins = batchActor(
  async function spins(items: number[]) {
    if (items.includes(1)) await wait(1)
    for (;;);
  },
  { ...shared, size: 2, linger: never, timeLimit: 300 },
)

export const leaves = batchActor(
  async function leaves(_items: number[]) {
    process.exit(3)
  },
  { ...shared, size: 2, linger: never },
)

export const nap = actor(async function nap(ms: number) {
  await wait(ms)
  return threadId
}, shared)
