/** Redis over TLS: all connections of a process, and a certificate that isn't trusted. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisBroker, type RedisBrokerOptions, RedisResults } from '../../brokers/redis/index.js'
import { BrokerUnusable } from '../../lib/errors.js'
import { inTime, note, queueName, until } from '../../testing/contract/brokers/exam.js'
import { stepClock } from '../../testing/contract/step-clock.js'
import { captureLog } from '../support/log.js'
import { openProxy } from '../support/redis-brokers.js'
import { consumeAll } from '../support/redis-consume.js'
import { withRedis } from '../support/redis-server.js'
import { makeCertificate, noTls } from '../support/redis-tls.js'

captureLog()

const reason = noTls()
if (reason) t.plan(0, reason)
else {
  const { settings, ca } = makeCertificate()
  await withRedis(
    (server) => {
      const { url } = server
      const redis = server.client()
      const open = (options: RedisBrokerOptions): RedisBroker =>
        new RedisBroker({ url, namespace: randomUUID(), middleware: [], ...options })

      t.test('a worker consumes over TLS, busy and idle, and again after its connections break', async (t) => {
        const broker = open({ redis: { tls: { ca } } })
        const worker = consumeAll(broker)
        t.teardown(() => worker.close())
        await broker.enqueue(note('awake'))
        await until(() => worker.seen.includes('awake'), 'the first message')
        await until(async () => /blocked_clients:1/.test(await redis.info('clients')), 'the worker to sleep')
        await broker.enqueue(note('asleep'))
        await until(() => worker.seen.includes('asleep'), 'the message that wakes it')

        await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')

        await broker.enqueue(note('after'))
        await until(() => worker.seen.includes('after'), 'the message after')
        await broker.join(queueName, { timeout: '10s' })
      })

      t.test('an idle connection that was silently dropped is replaced, over TLS, too', async (t) => {
        const { proxy, url: plain } = await openProxy(t, server)
        const broker = open({ url: plain.replace('redis:', 'rediss:'), redis: { tls: { ca } } })
        t.teardown(() => broker.close())
        await broker.enqueue(note('first'))
        stepClock(t, 60_000)
        proxy.freeze()
        await t.resolves(broker.enqueue(note('second')))
        t.match(await broker.stats(queueName), { ready: 2 })
      })

      t.test('results are waited for over TLS', async (t) => {
        const results = new RedisResults({ url, redis: { tls: { ca } } })
        t.teardown(() => results.close())
        const message = note('asked')
        const waiting = results.get(message, { timeout: '10s' })
        await until(async () => (await redis.pubsub('CHANNELS', `*${results.keyOf(message)}`)).length === 1, 'the wait')
        await results.storeResult(message, 'answer', 60_000)
        t.equal(await inTime(waiting, 'the result'), 'answer')
      })

      t.test('an untrusted certificate is refused and reported as the reason', async (t) => {
        const broker = open({})
        t.teardown(() => broker.close())
        const error = await broker.enqueue(note('trusting')).catch((error: unknown) => error)
        t.ok(error instanceof BrokerUnusable)
        t.match(error, { message: /The certificate of Redis at .* was rejected \(self.signed certificate/ })
      })
    },
    settings,
    { tls: { ca } },
  )
}
