/** A killed worker is distinguished from a paused one by its connection, which Redis no longer has. */
import { randomUUID } from 'node:crypto'
import { type Test, t } from 'tap'
import type { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { UnackedDeliveries } from '../../brokers/redis/consuming/unacked.js'
import type { RedisBroker } from '../../brokers/redis/index.js'
import { Keys } from '../../brokers/redis/keys.js'
import { Heartbeat } from '../../brokers/redis/maintenance/heartbeat.js'
import { consume, nameOf, note, notes, queueName, take, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'
import { startWorker } from '../support/redis-workers.js'

captureLog()

/** A heartbeat every 3.5 s. A worker without a connection is lost after that time plus the time to connect. */
const heartbeatTimeout = 14_000
const redisOptions = { connectTimeout: 100 }

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)
  const settings = { heartbeatTimeout, redis: redisOptions }
  const key = ({ namespace }: RedisBroker): string => `${namespace}:__heartbeats__`
  const now = async (): Promise<number> => Number((await redis.time())[0]) * 1000
  const start = (t: Test, { namespace }: RedisBroker) =>
    startWorker(t, { url: server.url, namespace, heartbeatTimeout })
  /** Workers whose messages were not recovered yet. */
  const workers = async (broker: RedisBroker): Promise<string[]> =>
    (await redis.zrange(key(broker), '0', '-1')).filter((worker) => worker !== broker.workerId)

  t.test('the messages of a killed worker are recovered soon, those of a paused one stay', async (t) => {
    const broker = open(t, settings)
    const consumer = consume(broker)
    await broker.enqueue(note('stopped'))
    const stopped = await start(t, broker)
    const [paused] = await workers(broker)
    await broker.enqueue(note('killed'))
    const killed = await start(t, broker)
    stopped.child.kill('SIGSTOP')
    killed.child.kill('SIGKILL')

    const delivery = await takeOne(consumer)

    t.equal(nameOf(delivery), 'killed')
    t.equal(delivery.deliveryCount, 2)
    const age = (await now()) - Number(await redis.zscore(key(broker), `${paused}`))
    t.ok(age > 5000 && age < heartbeatTimeout, `the paused one has been silent for as long: ${age} ms`)
    t.match(await broker.stats(queueName), { ready: 0, inFlight: 2 })
    t.equal(await redis.scard(`${broker.namespace}:__acks__.${paused}.${queueName}`), 1)
  })

  t.test('after an outage no worker counts as dead until all had time to reconnect', async (t) => {
    let [now, last, gap] = [1_000_000, 0, 15]
    let reconnect = (): void => {}
    const run = async (): Promise<number[]> => {
      const known = last
      last = now += gap
      return [known, now]
    }
    const onReconnect = (listener: () => void): (() => void) => {
      reconnect = listener
      return () => {}
    }
    const keys = new Keys('ns')
    const connection = { identity: 'server:1', run, onReconnect } as unknown as CommandConnection
    const unacked = new UnackedDeliveries({ worker: 'w', keys, connection }, keys.queue(queueName))
    const host = { queues: () => [unacked], onReconnect: () => {}, onBeat: () => {} }
    const heartbeat = new Heartbeat(unacked.session, 40, host, 100)
    /** How long it takes by the clock of Redis, with a heartbeat every 10 ms. */
    const wait = async (): Promise<number> => {
      const from = now
      await until(() => heartbeat.canDetectDisconnected, 'the contact')
      return now - from
    }
    heartbeat.start()
    t.equal(heartbeat.canDetectDisconnected, false)
    t.ok((await wait()) >= 2000, 'as long as an attempt to connect and the pause before the next')
    reconnect()
    t.equal(heartbeat.canDetectDisconnected, false, 'others may be about to connect, too')
    t.ok((await wait()) >= 2000)
    gap = 30
    await until(() => !heartbeat.canDetectDisconnected, 'the gap to be noticed')
    gap = 15
    t.ok((await wait()) >= 1900, 'nor is it one after a time without answers')
    await heartbeat.stop()
  })

  t.test('without permission to list connections, heartbeats decide', async (t) => {
    const user = randomUUID()
    const can = ['+@read', '+@write', '+@scripting', '+@connection', '+time', '+info', '-client|list', '-client|id']
    await redis.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', ...can)
    const url = server.url.replace('redis://', `redis://${user}:secret@`)
    const broker = open(t, { url, heartbeatTimeout: 400 })
    await broker.enqueueMany(notes(2))
    const { child } = await startWorker(t, { url, namespace: broker.namespace, heartbeatTimeout: 400 })
    child.kill('SIGKILL')
    t.equal((await take(consume(broker), 2)).length, 2)
  })

  t.test(
    'a worker that stops normally removes the key of its connection, and one that continues renews it',
    async (t) => {
      const broker = open(t)
      await broker.enqueue(note('x'))
      const consumer = consume(broker)
      await consumer.ack(await takeOne(consumer), [])
      const connection = `${broker.namespace}:connection:${broker.workerId}`
      await until(async () => (await redis.exists(connection)) === 1, 'the connection')
      const before = await redis.get(connection)
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await until(async () => (await redis.get(connection)) !== before, 'the next one')
      await broker.close()
      t.equal(await redis.exists(connection), 0)
    },
  )
})
