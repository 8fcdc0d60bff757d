/**
 * Waits (for a result, at a barrier, for an empty queue) while Redis is unreachable, and when the waiting broker
 * closes.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Test, t } from 'tap'
import type { Client } from '../../brokers/redis/connection/client.js'
import type { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { Subscriptions } from '../../brokers/redis/connection/subscriptions.js'
import { RedisBroker, RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import { BrokerClosed, ConnectionFailed, QueueJoinTimeout, ResultTimeout } from '../../lib/errors.js'
import { Barrier } from '../../lib/rate-limits/index.js'
import { inTime, note, queueName, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { FaultyProxy } from '../support/redis-faulty-proxy.js'
import { withRedis } from '../support/redis-server.js'

captureLog()

await withRedis((server) => {
  const redis = server.client()

  /** Everything that can wait, connected through a proxy. */
  async function stage(
    t: Test,
  ): Promise<{ proxy: FaultyProxy; broker: RedisBroker; results: RedisResults; limits: RedisRateLimits }> {
    const proxy = new FaultyProxy(server.port)
    const url = await proxy.listen()
    const broker = new RedisBroker({ url, namespace: randomUUID(), middleware: [] })
    const [results, limits] = [new RedisResults({ url }), new RedisRateLimits({ url })]
    t.teardown(async () => {
      await Promise.all([broker.close(), results.close(), limits.close()])
      proxy.close()
    })
    return { proxy, broker, results, limits }
  }

  t.test('a wait for a result continues through an outage', async (t) => {
    const { proxy, results } = await stage(t)
    const message = note('asked')
    await t.rejects(results.get(message, { timeout: 0 }))
    proxy.loseReplyTo(results.keyOf(message))
    const waiting = results.get(message, { timeout: '60s' })
    waiting.catch(() => {})
    await until(() => proxy.lost === 1, 'the outage')
    const other = new RedisResults({ url: server.url })
    await other.storeResult(message, 'answer', 60_000)
    await other.close()
    proxy.unblock()
    t.equal(await inTime(waiting, 'the result'), 'answer')
  })

  t.test('a wait for an empty queue continues through an outage', async (t) => {
    const { proxy, broker } = await stage(t)
    await broker.join(queueName, { timeout: '10s' })
    proxy.loseReplyTo(`${broker.namespace}:${queueName}`)
    const joining = broker.join(queueName, { timeout: '60s' })
    joining.catch(() => {})
    await until(() => proxy.lost === 1, 'the outage')
    proxy.unblock()
    await t.resolves(inTime(joining, 'the end of the wait'))
  })

  t.test('waits end at their timeout while Redis is unreachable, and report that', async (t) => {
    const { proxy, broker, results, limits } = await stage(t)
    proxy.block()
    let patient = true
    const stats = broker.stats(queueName).catch(() => {
      patient = false
    })
    const outcome = (promise: Promise<unknown>): Promise<{ error: unknown; patient: boolean }> =>
      promise.then(
        () => ({ error: undefined, patient }),
        (error: unknown) => ({ error, patient }),
      )
    const [result, once, barrier, join] = await Promise.all([
      outcome(results.get(note('asked'), { timeout: 300 })),
      outcome(results.get(note('asked once'), { timeout: 0 })),
      outcome(new Barrier(limits, randomUUID()).wait({ timeout: 300 })),
      outcome(broker.join(queueName, { timeout: 300 })),
    ])
    t.ok(result.error instanceof ResultTimeout)
    t.match(result.error, { cause: ConnectionFailed, message: /within 300 ms.*could not be reached/s })
    t.ok(once.error instanceof ConnectionFailed)
    t.ok(barrier.error instanceof ConnectionFailed)
    t.ok(join.error instanceof QueueJoinTimeout)
    t.match(join.error, { cause: ConnectionFailed })
    for (const each of [result, once, barrier, join]) t.ok(each.patient, 'before the default timeout of a call')
    await stats
  })

  t.test('closing ends all waits, though others share the connection', async (t) => {
    const { results, limits, broker } = await stage(t)
    const waits = [results.get(note('asked'), { timeout: '60s' }), limits.wait(randomUUID(), 60_000)]
    const ends = waits.map((wait) => wait.catch((error: unknown) => error))
    await until(async () => (await channels(redis)) >= 2, 'both to wait')
    await results.close()
    await limits.close()
    for (const end of ends) t.ok((await inTime(end, 'its end')) instanceof BrokerClosed)
    await t.rejects(results.get(note('asked later')), BrokerClosed)
    await t.rejects(limits.add('k', 1, 1), BrokerClosed)
    await t.resolves(broker.stats(queueName))
  })

  t.test('notifications of results use a separate connection where one cannot do both', async (t) => {
    const connectionName = `subscriptions-${randomUUID()}`
    const results = new RedisResults({ url: server.url, redis: { protocol: 2, connectionName } })
    t.teardown(() => results.close())
    const message = note('asked')
    const waiting = results.get(message, { timeout: '30s' })
    await until(async () => (await redis.pubsub('CHANNELS', `*${results.keyOf(message)}`)).length === 1, 'the wait')
    t.equal(`${await redis.client('LIST')}`.split(`name=${connectionName} `).length - 1, 2)
    await results.storeResult(message, 'notified', 60_000)
    t.equal(await inTime(waiting, 'the result'), 'notified')
  })
})

t.test('a second wait on a channel does not rely on a subscription that failed', async (t) => {
  let [attempts, reads] = [0, 0]
  let onMessage = (_: string): void => {}
  const client = {
    on: (_: string, listener: typeof onMessage) => {
      onMessage = listener
    },
    subscribe: async () => {
      if (++attempts < 3) throw new ConnectionFailed('away')
    },
    unsubscribe: async () => {},
  }
  const connection = {
    call: async (command: (client: Client) => unknown) => command(client as never),
    canSubscribe: true,
    onReconnect: () => () => {},
  }
  const subscriptions = new Subscriptions(
    connection as unknown as CommandConnection,
    () => connection as unknown as CommandConnection,
  )
  let there = false
  const read = async (): Promise<true | undefined> => {
    reads++
    return there || undefined
  }
  const waits = [1, 2].map(() => subscriptions.waitFor({ owner: connection, channel: 'c', read, timeout: 60_000 }))
  await until(() => attempts === 3, 'retries until it works')
  const before = reads
  there = true
  onMessage('c')
  t.same(await inTime(Promise.all(waits), 'both'), [true, true])
  t.ok(reads > before)
})

async function channels(redis: Redis): Promise<number> {
  return (await redis.pubsub('CHANNELS', '*')).length
}
