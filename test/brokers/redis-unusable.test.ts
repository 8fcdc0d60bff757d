/** A worker whose Redis is unusable ends with code 1; one whose Redis is unreachable waits for it. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Test, t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { remoteActor } from '../../lib/actor.js'
import { BrokerUnusable, ConnectionFailed } from '../../lib/errors.js'
import { captureLog } from '../support/log.js'
import { Child } from '../support/processes/child.js'
import { opener } from '../support/redis-brokers.js'
import { freePort, RedisServer, withRedis } from '../support/redis-server.js'

const main = fileURLToPath(new URL('../support/processes/main.ts', import.meta.url))

captureLog()

function startWorker(t: Test, url: string, threads = 0): Child {
  return new Child(t, [main], { DRAMATIS_URL: url, WORKER_OPTIONS: JSON.stringify({ threads }) })
}

/** A web server. */
async function webServer(t: Test): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}/0`
}

await withRedis(async (server) => {
  const admin = server.client()
  const open = opener(server.url)
  const user = (name: string, path = '/0'): string => `redis://${name}@127.0.0.1:${server.port}${path}`
  await admin.acl(
    'SETUSER',
    'reader',
    'on',
    '>pass',
    '~*',
    '&*',
    '-@all',
    '+@read',
    '+@scripting',
    '+@connection',
    '+info',
  )
  await admin.acl('SETUSER', 'stranger', 'on', '>pass', '~elsewhere:*', '&*', '+@all')

  t.test('an unusable Redis ends runWorker() with code 1', async (t) => {
    const cases: [url: string, text: RegExp][] = [
      [user('', '/99').replace('@', ''), /refused the database 99: ERR DB index is out of range/],
      [user('nobody:wrong'), /refused the password \(WRONGPASS/],
      [user('reader:pass'), /refused: .*(NOPERM|ACL|permission).*Grant this user the permissions/s],
      [user('stranger:pass'), /refused: .*(NOPERM|ACL|permission).*Grant this user the permissions/s],
      [await webServer(t), /The server at .* is not Redis, or it requires TLS/],
    ]
    const all = cases.map(async ([url, text], index) => {
      const worker = startWorker(t, url, index % 2)
      t.same(await worker.ended, [1, null], `${text}`)
      const errors = worker.log.filter(({ level }) => level >= 50)
      t.equal(errors.length, 1, 'one error')
      t.match(errors[0]?.msg, /^The worker could not start: /)
      t.match(errors[0]?.msg, text)
      t.notOk(worker.log.some(({ msg }) => msg === 'Worker started'))
    })
    await Promise.all(all)
  })

  t.test('check() reports it, too, also for results on another Redis', async (t) => {
    const broker = open(t)
    await broker.check()
    t.same(await admin.keys(`${broker.namespace}:*`), await admin.keys(`${broker.namespace}:*sent*`), 'nothing is sent')
    for (const middleware of [[], undefined]) {
      const options = { url: server.url.replace(/0$/, '99'), namespace: randomUUID() }
      const elsewhere = new RedisBroker(middleware ? { ...options, middleware } : options)
      t.teardown(() => elsewhere.close())
      const error = await elsewhere.check().catch((reason: unknown) => reason)
      t.ok(error instanceof BrokerUnusable)
    }
    const away = open(t, { url: `redis://127.0.0.1:${await freePort()}` })
    const error = await away.check({ timeout: 100 }).catch((reason: unknown) => reason)
    t.ok(error instanceof ConnectionFailed)
  })

  t.test('a full Redis does not keep a worker from processing the queue', async (t) => {
    t.teardown(() => admin.config('SET', 'maxmemory', '0'))
    const broker = new RedisBroker({ url: server.url })
    t.teardown(() => broker.close())
    const message = await remoteActor<unknown[], number>('add', { broker, queueName: 'default' }).send(1, 2)
    await admin.config('SET', 'maxmemory', '1000')
    const worker = startWorker(t, server.url)
    await worker.logged(/Worker started/)
    await broker.join('default', { timeout: '20s' })
    await admin.config('SET', 'maxmemory', '0')
    await message.result({ timeout: '20s' }).catch(() => {})
    worker.kill('SIGTERM')
    t.same(await worker.ended, [0, null])
  })
})

t.test('a worker whose Redis is unreachable starts, and works once Redis is there', async (t) => {
  const server = new RedisServer(await freePort(), [])
  t.teardown(() => server.end())
  const worker = startWorker(t, server.url)
  await worker.logged(/^The broker is not available; the worker starts anyway/)
  await worker.logged(/Worker started/)
  await server.start()
  await worker.logged(/^The broker is available/)
  const broker = new RedisBroker({ url: server.url })
  t.teardown(() => broker.close())
  const message = await remoteActor<unknown[], number>('add', { broker, queueName: 'default' }).send(1, 2)
  t.equal(await message.result({ timeout: '20s' }), 3)
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
})

t.test('a worker whose Redis starts later and is unusable ends with code 1', async (t) => {
  const server = new RedisServer(await freePort(), [])
  t.teardown(() => server.end())
  const worker = startWorker(t, server.url.replace(/0$/, '99'), 1)
  await worker.logged(/Worker started/)
  await server.start()
  t.same(await worker.ended, [1, null])
  t.match(
    worker.log.filter(({ level }) => level >= 50).map(({ msg }) => msg),
    [/^The worker can't go on: .*refused the database 99/],
  )
})
