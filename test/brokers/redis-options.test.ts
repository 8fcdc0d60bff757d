/** Connection options: mistakes are reported when the broker is created, without any password. */
import * as fs from 'node:fs'
import { t } from 'tap'
import { makeClient } from '../../brokers/redis/connection/client.js'
import { addressOf } from '../../brokers/redis/connection/options.js'
import { checkVersion, evictionPolicy } from '../../brokers/redis/connection/server-check.js'
import {
  RedisBroker,
  type RedisBrokerOptions,
  type RedisConnectionOptions,
  RedisRateLimits,
  RedisResults,
} from '../../brokers/redis/index.js'
import { IncompatibleStore, InvalidOption } from '../../lib/errors.js'

const password = 'geheim'

function refuses(
  options: unknown,
  message: RegExp,
  make = (given: unknown): unknown => new RedisBroker(given as object),
): void {
  const error = catchError(() => make(options))
  t.ok(error instanceof InvalidOption, `${JSON.stringify(options)} is refused`)
  t.match((error as Error)?.message, message)
  t.notMatch((error as Error)?.message, password)
}

function catchError(what: () => unknown): unknown {
  try {
    what()
  } catch (error) {
    return error
  }
}

async function accepts(options: RedisBrokerOptions): Promise<void> {
  await new RedisBroker({ middleware: [], ...options }).close()
}

t.test('an invalid URL is refused', async () => {
  const cases: [unknown, RegExp][] = [
    ['', /got an empty text/],
    [7911, /got a number/],
    [null, /got null/],
    ['http://localhost:6379', /begins with http:\/\//],
    ['rediss:localhost', /doesn't begin with redis:\/\/ or rediss:\/\//],
    ['localhost:6379', /doesn't begin with/],
    [`user:${password}@localhost`, /doesn't begin with/],
    ['redis://localhost:99999', /port under 65536/],
    ['redis://localhost:0', /port 0/],
    ['redis://localhost/x', /database that is no whole number/],
    ['redis://localhost/-1', /database/],
    ['redis://localhost/0/1', /database/],
    ['redis://localhost?db=x', /database/],
    ['/run/redis.sock?db=x', /database/],
    [`redis://:${password}/${password}@localhost/0`, /percent-encoded/],
    [`redis://user/${password}@localhost`, /database/],
    [`redis://:${password}%@localhost`, /% itself is %25/],
    ['redis://localhost?enableOfflineQueue=true', /parameter "enableOfflineQueue"; options of ioredis go into "redis"/],
    [`redis://localhost?${password}@x`, /parameter; options/],
  ]
  for (const [url, message] of cases) refuses({ url }, message)
})

t.test('a URL that ioredis understands is accepted, in upper case, too', async () => {
  const urls = [
    'redis://localhost',
    'redis://localhost/',
    'redis://localhost:6380/15?family=6',
    'rediss://user:p%40ss%2F@example.com:6380/1',
    'REDIS://[::1]:6379/0',
    '/run/redis/redis.sock?db=2',
  ]
  for (const url of urls) await accepts({ url })
})

t.test('options that contradict each other or have the wrong type are refused', async () => {
  const nodes = ['127.0.0.1:7000']
  const cases: [unknown, RegExp][] = [
    [{ redis: 'redis://x' }, /"redis" to be an object, .*got a text/],
    [{ redis: { db: -1 } }, /"db" to be a whole number from 0 up; got -1/],
    [{ redis: { db: Number.NaN } }, /"db"/],
    [{ redis: { keyPrefix: 'x' } }, /no "keyPrefix"/],
    [{ nodes: [] }, /got an empty one/],
    [{ nodes: 'x' }, /got a text/],
    [{ nodes: [7000] }, /got a number in it/],
    [{ nodes: [''] }, /isn't host:port in it/],
    [{ nodes: ['rediss://127.0.0.1:7000'] }, /for TLS add redis: \{ tls: \{\} \}/],
    [{ nodes, url: 'redis://localhost' }, /"url" or "nodes"; got both/],
    [{ cluster: {} }, /"nodes" beside "cluster"/],
    [{ nodes, cluster: 'x' }, /"cluster" to be an object/],
    [{ nodes, redis: { db: 1 }, namespace: '{x}' }, /only database of a Redis Cluster/],
    [
      `redis://:${password}@localhost`,
      /options of RedisBroker to be an object, such as \{ url: 'redis:\/\/…' \}; got a text/,
    ],
    [null, /got null/],
  ]
  for (const [options, message] of cases) refuses(options, message)
})

t.test('an unknown option is refused, with advice if it is one of ioredis', async (t) => {
  refuses({ host: 'localhost' }, /"host" \(on RedisBroker\): put .* redis: \{ host: … \} \}, or use "url"/)
  refuses({ tls: {} }, /redis: \{ tls: … \}/)
  refuses({ namespce: 'x' }, /did you mean "namespace"/)
  const error = catchError(() => new RedisResults({ ttl: '1h' } as object)) as Error
  t.ok(error instanceof InvalidOption)
  t.match(error.message, /Unknown option "ttl" \(on RedisResults\)\. The options there are: url, redis, nodes/)
  t.notMatch(error.message, /did you mean|plugin/)
  refuses('redis://x', /options of RedisRateLimits/, (options) => new RedisRateLimits(options as object))
})

t.test('a namespace is a text, on a cluster with a hash tag', async () => {
  for (const namespace of ['', 5, null]) {
    refuses({ namespace }, /"namespace" to be a non-empty string/)
    refuses({ namespace }, /"namespace"/, (options) => new RedisResults(options as object))
  }
  const nodes = ['127.0.0.1:7000']
  refuses({ nodes }, /"namespace" to be hash-tagged, such as "\{dramatiq\}", on a Redis Cluster; got "dramatiq"/)
  refuses({ nodes, namespace: '{}dramatiq' }, /such as "\{dramatiq\}"/)
  refuses({ nodes, namespace: 'a{}{b}' }, /hash-tagged/)
  await accepts({ nodes, namespace: '{dramatiq}' })
  await accepts({ nodes: [{ host: '127.0.0.1', port: 7000 }], namespace: 'mine:{x}' })
})

t.test('a heartbeat timeout that is too short for any worker is refused', async () => {
  for (const heartbeatTimeout of [0, 99]) refuses({ heartbeatTimeout }, /"heartbeatTimeout" to be 100 ms or more/)
  await accepts({ heartbeatTimeout: 100 })
})

t.test('the address of Redis contains no password', async (t) => {
  const cases: [RedisConnectionOptions, string][] = [
    [{}, '127.0.0.1:6379'],
    [{ url: `redis://user:${password}@example.com/3` }, 'example.com:6379'],
    [{ url: `rediss://:${password}@[::1]:7000` }, '[::1]:7000'],
    [{ url: `/run/redis.sock?password=${password}` }, '/run/redis.sock'],
    [{ redis: { port: 7000, password } }, 'localhost:7000'],
    [{ redis: { path: '/run/redis.sock' } }, '/run/redis.sock'],
    [
      { redis: { sentinels: [{ host: 'a', port: 1 }, { host: 'b' }], name: 'main' } },
      'main (by the sentinels a:1, b:26379)',
    ],
    [{ nodes: [`redis://:${password}@a:1`, 'b:2', { host: 'c', port: 3 }] }, 'a:1, b:2, c:3'],
  ]
  for (const [options, address] of cases) t.equal(addressOf(options), address)
})

t.test('a server that is too old is refused; one that does not report its version is not', async (t) => {
  const info = (version: string): string => `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`
  for (const version of ['6.2.0', '7.0.15', '10.0.0', '6.2.14-rc1']) checkVersion(info(version), 'here:1')
  checkVersion(`${info('7.2.4')}server_name:valkey\r\nvalkey_version:8.0.1\r\n`, 'here:1')
  checkVersion('', 'here:1')
  for (const version of ['6.0.20', '5.0.14', '2.8.0']) {
    t.throws(() => checkVersion(info(version), 'here:1'), {
      constructor: IncompatibleStore,
      message: `Expected Redis 6.2 or later, or Valkey; Redis at here:1 is ${version}. Use a newer server.`,
    })
  }
  t.equal(evictionPolicy('# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n'), 'allkeys-lru')
  t.equal(evictionPolicy('# Memory\r\nmaxmemory:0\r\n'), undefined)
})

t.test('no timeout or interval of ioredis is longer than a timer of Node can be', async (t) => {
  const [month, longest] = [30 * 86_400_000, 2_147_483_647]
  const demand = { isOver: () => true, isUrgent: () => false }
  const single = makeClient({ redis: { connectTimeout: month, sentinelCommandTimeout: month } }, demand)
  t.match(single.options, { connectTimeout: longest, sentinelCommandTimeout: longest })
  const nodes = [{ host: '127.0.0.1', port: 7000 }]
  // If it fired immediately, it would query the slots each millisecond.
  const cluster = { slotsRefreshTimeout: month, slotsRefreshInterval: month, redisOptions: { connectTimeout: month } }
  t.match(makeClient({ nodes, cluster }, demand).options, {
    slotsRefreshTimeout: longest,
    slotsRefreshInterval: longest,
    redisOptions: { connectTimeout: longest },
  })
})

t.test('all scripts are read when the first broker is created, and never after', async (t) => {
  let reads = 0
  const readFileSync = (...args: Parameters<typeof fs.readFileSync>): unknown => {
    reads++
    return fs.readFileSync(...args)
  }
  const scripts = (await t.mockImport('../../brokers/redis/scripts.js', {
    'node:fs': { ...fs, readFileSync },
  })) as typeof import('../../brokers/redis/scripts.js')
  scripts.loadScripts()
  t.ok(reads > 10)
  const before = reads
  t.match(scripts.script('enqueue').source, /local function store/)
  scripts.loadScripts()
  t.equal(reads, before)
})
