/** The contract tests of results backends on SQLite, and: a thousand waits cost one poll. */
import t from 'tap'
import { SQLiteResults } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import type { ResultBackend } from '../../lib/results/backend.js'
import { resultsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { detour, inDatabase, makePath } from '../support/sqlite-files.js'

const paths = new WeakMap<ResultBackend, string>()

resultsContract({
  test,
  name: 'sqlite',
  make: (options, t) => {
    const path = makePath(t)
    const results = new SQLiteResults({ ...options, path })
    paths.set(results, path)
    return results
  },
  another: (backend, options) => new SQLiteResults({ ...options, path: detour(paths.get(backend) as string) }),
})

t.test('a thousand waits for a result of another process end together', async (t) => {
  const path = makePath(t)
  const [here, there] = [new SQLiteResults({ path }), new SQLiteResults({ path: detour(path) })]
  t.teardown(() => Promise.all([here.close(), there.close()]))
  const messages = Array.from(
    { length: 1000 },
    (_, index) => new Message({ queueName: 'q', actorName: 'a', args: [index] }),
  )
  const waiting = messages.map((message) => here.get(message, { timeout: '30s' }))
  await Promise.all(messages.map((message, index) => there.storeResult(message, index, 60_000)))
  t.same(
    await Promise.all(waiting),
    messages.map((_, index) => index),
  )
})

t.test('closing ends the waits', async (t) => {
  const results = new SQLiteResults({ path: makePath(t) })
  const waiting = results.get(new Message({ queueName: 'q', actorName: 'a', args: [] }), { timeout: '1h' })
  await Promise.all([t.rejects(waiting, /No result/), results.close()])
})

t.test('expired results are purged by writes', async (t) => {
  const path = makePath(t)
  const results = new SQLiteResults({ path })
  t.teardown(() => results.close())
  const count = (): unknown =>
    inDatabase(path, (database) => database.prepare('SELECT count(*) AS rows FROM results').get())
  const store = (ttl: number) => results.storeResult(new Message({ queueName: 'q', actorName: 'a', args: [] }), 1, ttl)
  for (let index = 0; index < 600; index++) void store(0)
  await store(60_000)
  t.same(count(), { rows: 601 })
  // A purge is due every half minute, by the monotonic clock; a later clock makes it due now.
  const { now } = performance
  performance.now = () => now.call(performance) + 31_000
  t.teardown(() => {
    performance.now = now
  })
  for (let tries = 0; tries < 5; tries++) await store(60_000)
  t.same(count(), { rows: 6 })
})
