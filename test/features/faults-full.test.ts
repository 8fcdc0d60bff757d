/** Groups and unique messages while the store is full or locked: nothing is done in part. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor } from '../../lib/actor.js'
import type { Broker } from '../../lib/broker.js'
import { group } from '../../lib/index.js'
import { lockKey } from '../../lib/unique/lock.js'
import type { UniqueMessage } from '../../lib/unique/option.js'
import { Worker } from '../../lib/worker/worker.js'
import { captureLog } from '../support/log.js'
import { gate, until } from '../support/memory.js'
import { withRedis } from '../support/redis-server.js'
import { makePath, watchOpening } from '../support/sqlite-files.js'

captureLog()

interface Store {
  readonly broker: Broker
  /** Makes sends fail, until what it returns is called. */
  readonly fill: () => Promise<() => Promise<void> | void>
  readonly refusal: RegExp
}

/** Whether settlements go through at once, or only later. */
type Settling = 'goes through' | 'waits'

async function exam(t: Test, { broker, fill, refusal }: Store, settling: Settling): Promise<void> {
  const ran: string[] = []
  const holding = gate()
  const member = actor(() => holding.opened, { broker, actorName: 'member' })
  const report = actor(() => void ran.push('report'), { broker, actorName: 'report' })
  const once = actor((text: string) => void ran.push(text), { broker, actorName: 'once', unique: true })
  const early = actor(() => void ran.push('early'), {
    broker,
    actorName: 'early',
    unique: { until: 'started' },
    priority: 0,
  })
  const jobs = group([member.message(), member.message()], { onComplete: report.message() })
  await jobs.run()
  await once.send('before')
  await early.send()
  const state = broker.stateFor('the test')

  const empty = await fill()
  const refused = once.message(`refused ${'x'.repeat(200_000)}`)
  await t.rejects(broker.enqueue(refused), refusal)
  await t.rejects(group([once.message('y'.repeat(200_000)), once.message('z')]).run(), refusal)

  const worker = new Worker(broker, { threads: 0, concurrency: 10 })
  await worker.start()
  t.teardown(() => worker.stop({ timeout: 0 }))
  if (settling === 'goes through') await until(() => ran.includes('before') && ran.includes('early'))
  holding.open()
  if (settling === 'goes through') await until(() => ran.includes('report'), 'what follows the group')
  await empty()
  t.equal(await jobs.wait({ timeout: '20s' }), 'completed')
  await broker.join('default', { timeout: '20s' })

  t.same(ran.sort(), ['before', 'early', 'report'])
  const { key } = refused.option('unique') as UniqueMessage
  t.same(await state.read([lockKey(key)]), [undefined], 'a refused send holds no key')
  t.equal((await once.send('before')).deduplicated, false, 'what ran has freed its key')
  t.equal((await early.send()).deduplicated, false)
  await broker.join('default', { timeout: '20s' })
  t.match(await broker.stats('default'), { ready: 0, delayed: 0, inFlight: 0, dead: 0 })
}

await withRedis((server) => {
  t.test('a full Redis', async (t) => {
    const admin = server.client()
    const empty = async (): Promise<void> => void (await admin.config('SET', 'maxmemory', '0'))
    t.teardown(empty)
    const broker = new RedisBroker({ url: server.url, namespace: randomUUID() })
    t.teardown(() => broker.close())
    const fill = async (): Promise<typeof empty> => {
      await admin.config('SET', 'maxmemory', '1000')
      return empty
    }
    await exam(t, { broker, fill, refusal: /Redis is out of memory: raise maxmemory/ }, 'goes through')
  })
})

t.test('a full disk, for SQLite', async (t) => {
  const connections = watchOpening(t)
  const broker = new SQLiteBroker({ path: makePath(t) })
  t.teardown(() => broker.close())
  const fill = async (): Promise<() => void> => {
    connections[0]?.exec('PRAGMA max_page_count = 1')
    return () => connections[0]?.exec('PRAGMA max_page_count = 1000000')
  }
  await exam(t, { broker, fill, refusal: /disk is full; nothing was stored/ }, 'waits')
})

t.test('a locked SQLite file', async (t) => {
  const path = makePath(t)
  const broker = new SQLiteBroker({ path, enqueueTimeout: 200 })
  t.teardown(() => broker.close())
  const fill = async (): Promise<() => void> => {
    const database = loadDriver().open(path)
    database.exec('BEGIN IMMEDIATE')
    return () => {
      database.exec('ROLLBACK')
      database.close()
    }
  }
  await exam(t, { broker, fill, refusal: /locked|within 200 ms/ }, 'waits')
})
