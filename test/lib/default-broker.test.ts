/** The broker that is used when none is given, and what is logged about it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor, getBroker, remoteActor, setBroker, Worker } from '../../lib/index.js'
import { captureLog } from '../support/log.js'

t.test('the log names the broker that was created because none was set', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-default-'))
  const before = process.cwd()
  process.chdir(folder)
  t.teardown(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true })
  })
  const log = captureLog()
  await remoteActor('elsewhere').send()
  const [said, ...others] = log.filter(({ level }) => level === 'info')
  t.match(said, { fields: { broker: /^sqlite:.*dramatis\.db$/ }, text: 'No broker was set: using the default one' })
  t.same(others, [])
  t.ok(existsSync(join(folder, 'dramatis.db')))
  await getBroker().close()
})

t.test('a broker that was set is logged at debug on first use, and by a worker that starts', async (t) => {
  const log = captureLog()
  const broker = new MemoryBroker()
  setBroker(broker)
  await actor(function here() {}).send()
  await actor(function again() {}).send()
  const worker = new Worker(broker, { threads: 0 })
  await worker.start()
  await worker.stop()
  await broker.close()
  t.same(
    log.filter(({ fields }) => 'broker' in fields).map(({ level, fields, text }) => [level, fields.broker, text]),
    [
      ['debug', 'memory:', 'Broker in use'],
      ['info', 'memory:', 'Worker started'],
    ],
  )
})

t.test('the location of a broker contains no password', async (t) => {
  const where = async (broker: RedisBroker | SQLiteBroker): Promise<string> => {
    await broker.close()
    return broker.location
  }
  const redis = (options: ConstructorParameters<typeof RedisBroker>[0]): Promise<string> =>
    where(new RedisBroker(options))
  t.equal(await redis({}), 'redis://127.0.0.1:6379/0')
  t.equal(await redis({ url: 'rediss://ada:secret@redis.example.com:7000/3' }), 'rediss://redis.example.com:7000/3')
  t.equal(await redis({ url: 'redis://:secret@here?db=2&password=secret' }), 'redis://here:6379/2')
  t.equal(await redis({ redis: { host: 'there', password: 'secret', db: 4 } }), 'redis://there:6379/4')
  t.equal(await redis({ nodes: ['redis://:secret@a:1', 'b:2'], namespace: '{q}' }), 'redis://a:1, b:2')
  t.equal(await where(new SQLiteBroker({ path: '/tmp/some.db' })), 'sqlite:/tmp/some.db')
})
