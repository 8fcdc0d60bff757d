/** What a connection to Redis logs, what it refuses, and that it keeps no process alive. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { type Test, t } from 'tap'
import { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { RedisBroker, type RedisBrokerOptions, RedisRateLimits } from '../../brokers/redis/index.js'
import { ConnectionFailed, EnqueueTimeout, IncompatibleStore } from '../../lib/errors.js'
import { inTime, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { Child } from '../support/processes.js'
import { opener } from '../support/redis-brokers.js'
import { LosingProxy } from '../support/redis-losing-proxy.js'
import { freePort, withRedis } from '../support/redis-server.js'

const log = captureLog()
const secret = 'geheim'
const yes = (): boolean => true
const no = (): boolean => false

/** Sends a message, and returns the error. */
async function failure(broker: RedisBroker, name: unknown = 'x'): Promise<Error> {
  return inTime(
    broker.enqueue(note(name)).then(
      () => Promise.reject(new Error('It was stored.')),
      (error: Error) => error,
    ),
    'the rejection',
  )
}

/** All texts in an error or in the log, at any depth. */
const all = (what: unknown): string => inspect(what, { depth: null, showHidden: true, maxStringLength: null })

const said = (pattern: RegExp): typeof log => log.filter(({ text }) => pattern.test(text))

/** A server that is not Redis. */
async function fakeServer(t: Test, answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    answer(socket)
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server, 'listening')
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}/0`
}

await withRedis((server) => {
  const admin = server.client()
  const open = opener(server.url)

  t.test('a database that does not exist means no connection: nothing is stored in another one', async (t) => {
    for (const options of [{ url: server.url.replace(/0$/, '99') }, { redis: { port: server.port, db: 99 } }]) {
      const broker = open(t, { ...options, url: 'url' in options ? options.url : undefined } as RedisBrokerOptions)
      for (let times = 0; times < 3; times++) {
        t.match((await failure(broker)).message, /127\.0\.0\.1:\d+|localhost:\d+/)
        t.match((await failure(broker)).message, /refused the database 99: ERR DB index is out of range/)
      }
      t.same(await admin.keys(`${broker.namespace}*`), [])
    }
    t.ok(said(/can't be used.*database 99/).length > 0, 'it is logged, too')
  })

  t.test('a user without permission to select the database stores nothing until it is granted', async (t) => {
    const user = `limited${randomUUID()}`
    await admin.acl('SETUSER', user, 'on', '>pass', '~*', '&*', '+@all', '-select')
    const broker = open(t, { url: server.url.replace(/0$/, '3'), redis: { username: user, password: 'pass' } })
    t.match((await failure(broker)).message, /refused the database 3: NOPERM/)
    await admin.acl('SETUSER', user, '+select')
    const isStored = (): Promise<boolean> => broker.enqueue(note('x')).then(yes, no)
    await until(isStored, 'the permission to take effect')
    t.same(await admin.keys(`${broker.namespace}*`), [], 'nor in database 0')
  })

  t.test('no error or log line contains a password, whatever fails', async (t) => {
    const before = log.length
    for (const protocol of [2, 3] as const) {
      const options = { redis: { username: 'nobody', password: secret, protocol }, enqueueTimeout: 300 }
      const error = await failure(open(t, options))
      t.match(error.message, /Redis at .* refused the password/)
      t.notMatch(all(error), secret)
    }
    t.ok(log.length > before, 'something is logged')
    t.notMatch(all(log), secret)
  })

  t.test('the error of a refused command does not contain its arguments', async (t) => {
    const broker = open(t)
    t.teardown(() => admin.config('SET', 'maxmemory', '0'))
    await broker.enqueue(note('before'))
    await admin.config('SET', 'maxmemory', '1000')
    const error = await failure(broker, secret)
    t.match(error.message, /out of memory/)
    t.notMatch(all(error), secret)
  })

  t.test('a Redis that requires a password is reported, with the way to pass it', async (t) => {
    await admin.config('SET', 'requirepass', secret)
    t.teardown(() => admin.config('SET', 'requirepass', ''))
    const error = await failure(open(t, { enqueueTimeout: 300 }))
    t.match(error.message, /^Redis at .* requires a password; put it in the URL: redis:\/\/:password@host/)
  })

  t.test('a Redis that was never reached is unreachable; the connection to one that was is lost', async (t) => {
    const port = await freePort()
    const url = `redis://user:${secret}@127.0.0.1:${port}/0`
    const never = await failure(open(t, { url, enqueueTimeout: 300 }))
    t.ok(never instanceof EnqueueTimeout)
    t.match(never.message, `it was not sent: connect ECONNREFUSED 127.0.0.1:${port}`)
    t.notMatch(all(never), /writeable/)
    const [line] = said(new RegExp(`127.0.0.1:${port}`))
    t.match(line?.text, /^Redis at .* is unreachable \(connect ECONNREFUSED .*\); reconnecting/)
    t.match(line?.fields, { address: `127.0.0.1:${port}`, purpose: 'commands' })
    t.same(said(new RegExp(`:${port} lost`)), [])

    const broker = open(t, { enqueueTimeout: 300, redis: { connectionName: 'to be lost' } })
    await broker.enqueue(note('x'))
    await server.stop()
    await until(() => said(new RegExp(`Redis at 127.0.0.1:${server.port} lost`)).length > 0, 'the loss')
    const away = await failure(broker)
    t.notMatch(all(away), /writeable/)
    await server.start()
    await until(() => said(/^Connected to Redis/).length > 0, 'the reconnection')
    t.notMatch(all(log), secret)
    t.notMatch(all(log), /writeable/)
  })

  t.test('an outage is logged again at an interval', async (t) => {
    const connection = new CommandConnection({ url: `redis://127.0.0.1:${await freePort()}` }, 'a test', {
      reminder: 30,
    })
    t.teardown(() => connection.close())
    t.match(
      await connection.call((client) => client.ping(), { timeout: 300 }).catch((error: unknown) => error),
      ConnectionFailed,
    )
    await until(() => said(/is still unreachable \(connect ECONNREFUSED/).length > 1, 'the reminders')
  })

  t.test('a server that sends nothing and one that is not Redis have different errors', async (t) => {
    const silent = await failure(open(t, { url: await fakeServer(t, () => {}), enqueueTimeout: 300 }))
    t.match(silent.message, /it was not sent: .*connected, but no reply: is it Redis, does it require TLS\?/)
    t.notMatch(all(silent), /undefined/)
    const http = await fakeServer(
      t,
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    )
    const error = await failure(open(t, { url: http, enqueueTimeout: 300 }))
    t.match(error.message, /The server at 127\.0\.0\.1:\d+ is not Redis/)
  })

  t.test('a silent connection is replaced', async (t) => {
    let connections = 0
    const url = await fakeServer(t, () => {
      connections++
    })
    await failure(open(t, { url, enqueueTimeout: 2200 }))
    await until(() => connections > 1, 'another connection')
  })

  t.test('an unusable server refuses every call until another one replaces it', async (t) => {
    let tooOld = true
    const check = async (): Promise<undefined> => {
      if (tooOld) throw new IncompatibleStore('too old')
    }
    const connection = new CommandConnection({ url: server.url }, 'a test', { check })
    t.teardown(() => connection.close())
    await t.rejects(
      connection.call((client) => client.ping()),
      IncompatibleStore,
    )
    await t.rejects(
      connection.call((client) => client.ping()),
      IncompatibleStore,
    )
    tooOld = false
    await until(() => connection.call((client) => client.ping()).then(yes, no), 'another check')
  })

  t.test('each eviction policy causes one warning, also when it appears with a new connection', async (t) => {
    t.teardown(() => admin.config('SET', 'maxmemory-policy', 'noeviction'))
    const warnings = (): string[] => said(/evicts keys/).map(({ text }) => text)
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru')
    const user = `asks${randomUUID()}`
    await admin.acl('SETUSER', user, 'on', '>pass', '~*', '&*', '+@all', '-config')
    const broker = open(t, { redis: { username: user, password: 'pass' } })
    await broker.enqueue(note(1))
    await until(() => warnings().length === 1, 'the warning')
    t.match(warnings()[0], /volatile-lru\), of those with a time to live: results and rate limits, not messages/)
    for (const policy of ['volatile-lru', 'allkeys-lru']) {
      await admin.config('SET', 'maxmemory-policy', policy)
      await admin.call('CLIENT', 'KILL', 'USER', user)
      await broker.enqueue(note(2))
    }
    await until(() => warnings().length === 2, 'the second warning')
    t.match(warnings()[1], /allkeys-lru\), and with them messages/)
  })

  t.test('a user without permission for INFO but for the configuration gets the warning, too', async (t) => {
    t.teardown(() => admin.config('SET', 'maxmemory-policy', 'noeviction'))
    const before = said(/evicts keys/).length
    await admin.config('SET', 'maxmemory-policy', 'allkeys-random')
    const user = `asks${randomUUID()}`
    await admin.acl('SETUSER', user, 'on', '>pass', '~*', '&*', '+@all', '-info')
    const broker = open(t, { redis: { username: user, password: 'pass', enableReadyCheck: false } })
    await broker.enqueue(note(1))
    await until(() => said(/evicts keys/).length > before, 'the warning')
  })

  t.test('a producer that has sent, or failed to, and closes nothing, ends', async (t) => {
    const away = { url: `redis://127.0.0.1:${await freePort()}`, enqueueTimeout: 200 }
    const silent = { url: await fakeServer(t, () => {}), enqueueTimeout: 200 }
    const cases: [RedisBrokerOptions, string][] = [
      [{ url: server.url, namespace: randomUUID() }, 'stored'],
      [away, 'EnqueueTimeout'],
      [silent, 'EnqueueTimeout'],
      [{ nodes: [away.url.slice(8)], namespace: '{x}', enqueueTimeout: 200 }, 'EnqueueTimeout'],
    ]
    for (const [options, end] of cases) await ends(t, options, end)
  })

  t.test('a worker keeps its process alive, however long Redis is unreachable', async (t) => {
    const namespace = randomUUID()
    const child = new Child(t, 'redis-embedded-worker.ts', [server.url, namespace])
    const says = (pattern: RegExp): Promise<void> =>
      inTime(
        child.until((lines) => lines.some((line) => pattern.test(line))),
        `${pattern}`,
      )
    await open(t, { namespace }).enqueue(note('before', {}, 'default'))
    await says(/ran before/)
    await server.stop()
    await says(/^Connection to Redis .* lost/)
    await server.start()
    await open(t, { namespace }).enqueue(note('after', {}, 'default'))
    await says(/ran after/)
  })
})

async function ends(t: Test, options: RedisBrokerOptions, end: string): Promise<void> {
  const child = new Child(t, 'redis-one-send.ts', [JSON.stringify(options)])
  await inTime(child.ended(), `the end of a producer: ${end}`)
  t.same(child.lines, [end])
  t.equal(child.process.exitCode, 0)
}

await withRedis(
  async (server) => {
    const redis = server.client()
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383').catch(() =>
      // One by one before Redis 7.
      redis.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => `${slot}`)),
    )
    await until(async () => /cluster_state:ok/.test(`${await redis.cluster('INFO')}`), 'the cluster')
    const nodes = [`127.0.0.1:${server.port}`]

    t.test('on a cluster a message whose reply was lost is stored once', async (t) => {
      const proxy = new LosingProxy(server.port)
      const port = await proxy.listen()
      const natMap = { [`127.0.0.1:${server.port}`]: { host: '127.0.0.1', port } }
      const namespace = `{${randomUUID()}}`
      const broker = new RedisBroker({ nodes: [`127.0.0.1:${port}`], cluster: { natMap }, namespace, middleware: [] })
      t.teardown(async () => {
        await broker.close()
        proxy.close()
      })
      await broker.enqueue(note('before'))
      proxy.next((asked) => asked.includes('once'))
      await inTime(broker.enqueue(note('once')), 'the send')
      t.equal(proxy.lost, 1)
      t.equal(await redis.llen(`${namespace}:${queueName}`), 2)
      t.match(await broker.stats(queueName), { ready: 2 })
    })

    t.test('no error or log line contains a password of a cluster, either', async (t) => {
      await redis.config('SET', 'requirepass', 'right')
      t.teardown(() => redis.config('SET', 'requirepass', ''))
      const options = { nodes, namespace: `{${randomUUID()}}`, redis: { password: secret }, enqueueTimeout: 300 }
      const broker = new RedisBroker({ ...options, middleware: [] })
      t.teardown(() => broker.close())
      const error = await failure(broker)
      t.match(error.message, /Redis at .* refused the password/)
      t.notMatch(all([error, log]), secret)
    })

    t.test('a producer of a cluster that closes nothing ends', async (t) => {
      await ends(t, { nodes, namespace: `{${randomUUID()}}` }, 'stored')
    })

    t.test('the URL of a cluster, and keys without a hash tag, have clear errors', async (t) => {
      const broker = new RedisBroker({ url: server.url, namespace: randomUUID(), middleware: [] })
      const limits = new RedisRateLimits({ nodes })
      t.teardown(async () => {
        await broker.close()
        await limits.close()
      })
      t.match((await failure(broker)).message, /CROSSSLOT.*this is a Redis Cluster: use `nodes`/)
      const window = limits.incrAndSum('win@2', ['win@2', 'win@1'], 1, 1, 60_000)
      await t.rejects(window, { message: /CROSSSLOT.*add a hash tag to the key, such as \{key\}/ })
    })

    t.test('a worker on a cluster takes new messages', async (t) => {
      const broker = new RedisBroker({ nodes, namespace: `{${randomUUID()}}`, middleware: [] })
      t.teardown(() => broker.close())
      await broker.enqueue(note('x'))
      const consumer = broker.consume(queueName)
      await consumer.ack(await takeOne(consumer), [])
    })
  },
  ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
)
