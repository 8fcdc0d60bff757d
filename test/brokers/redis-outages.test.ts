/** Which workers count as dead after an outage, and how heartbeats detect that. */
import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import type { CommandConnection } from '../../brokers/redis/connection/command-connection.js'
import { UnackedDeliveries } from '../../brokers/redis/consuming/unacked.js'
import type { RedisBroker } from '../../brokers/redis/index.js'
import { Keys } from '../../brokers/redis/keys.js'
import { Heartbeat } from '../../brokers/redis/maintenance/heartbeat.js'
import { Maintenance } from '../../brokers/redis/maintenance/maintenance.js'
import type { Script } from '../../brokers/redis/scripts.js'
import { retryUntilDone } from '../../lib/worker/consumer-loop.js'
import { consume, nameOf, note, queueName, takeOne, until } from '../../testing/contract/brokers/exam.js'
import { captureLog } from '../support/log.js'
import { opener, openProxy } from '../support/redis-brokers.js'
import { withRedis } from '../support/redis-server.js'

const log = captureLog()

await withRedis((server) => {
  const redis = server.client()
  const open = opener(server.url)
  const heartbeats = ({ namespace }: RedisBroker): string => `${namespace}:__heartbeats__`
  const acks = ({ namespace }: RedisBroker, worker: string): string => `${namespace}:__acks__.${worker}.${queueName}`

  /** A worker that is really dead and holds a message. */
  async function leave(broker: RedisBroker, name: string): Promise<void> {
    const [worker, id] = [randomUUID(), randomUUID()]
    const body = JSON.stringify(note(name, { redis_message_id: id }).toWire())
    await redis.zadd(heartbeats(broker), '1', worker)
    await redis.hset(`${broker.namespace}:${queueName}.msgs`, id, body)
    await redis.sadd(acks(broker, worker), id)
  }

  for (const fresh of [false, true]) {
    const who = fresh ? 'a process that comes right after an outage' : 'the first worker back after an outage'
    t.test(`${who} takes nothing from living workers, and recovers messages of the dead a little later`, async (t) => {
      const heartbeatTimeout = '2s'
      const { proxy, url } = await openProxy(t, server)
      // Given a living worker that holds a message, and others of which one is dead.
      const living = open(t, { url, heartbeatTimeout })
      const { namespace } = living
      await living.enqueue(note('held'))
      await takeOne(consume(living))
      let first = open(t, { namespace, heartbeatTimeout })
      let consumer = consume(first)
      await leave(living, 'before')
      t.equal(nameOf(await takeOne(consumer)), 'before', 'the messages of the dead are recovered')

      // When Redis was unreachable for long, and is reachable again for one of them,
      proxy.block()
      await leave(living, 'after')
      await redis.zadd(heartbeats(living), '1', living.workerId)
      if (fresh) {
        await first.close()
        first = open(t, { namespace, heartbeatTimeout })
        consumer = consume(first)
      } else {
        await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      }
      const taking = retryUntilDone(() => takeOne(consumer), new AbortController().signal)
      const beat = async ({ workerId }: RedisBroker): Promise<number> =>
        Number(await redis.zscore(heartbeats(living), workerId))
      await until(async () => (await beat(first)) > Number((await redis.time())[0]) * 1000 - 1000, 'its heartbeat')
      // and a moment later for the other one,
      proxy.unblock()

      // then only the message of the dead one is recovered.
      t.equal(nameOf(await taking), 'after')
      t.equal(await redis.scard(acks(living, living.workerId)), 1)
      t.ok((await beat(living)) > 1, 'it sends heartbeats again')
    })
  }

  t.test('a worker that Redis no longer knows logs the possible reasons', async (t) => {
    const broker = open(t, { heartbeatTimeout: 400 })
    await broker.enqueue(note('held'))
    await takeOne(consume(broker))
    await until(async () => (await redis.zrem(heartbeats(broker), broker.workerId)) === 1, 'its heartbeat')
    await until(
      () => log.some(({ text }) => /no longer knows this worker: .* over 400 ms .* or Redis lost its data/.test(text)),
      'the warning',
    )
  })

  t.test('a connection that breaks now and then does not keep a worker from detecting dead ones', async (t) => {
    const keys = new Keys('ns')
    let answer = [0, 1_000_000]
    let reconnect = (): void => {}
    let beats = 0
    const connection = {
      identity: 'server:1',
      run: async () => answer,
      onReconnect: (listener: () => void) => {
        reconnect = listener
        return () => {}
      },
    } as unknown as CommandConnection
    const unacked = new UnackedDeliveries({ worker: 'w', keys, connection }, keys.queue(queueName))
    const onBeat = (): void => void beats++
    const heartbeat = new Heartbeat(unacked.session, 60_000, { queues: () => [unacked], onReconnect: () => {}, onBeat })
    /** Our last heartbeat in Redis, and the time there. */
    const next = async (known: number, now: number): Promise<boolean> => {
      answer = [known, now]
      const before = beats
      reconnect()
      t.equal(heartbeat.canDetectSilent, false, 'not before the next heartbeat')
      await until(() => beats > before, 'a heartbeat')
      // The next one begins when this one has ended.
      await new Promise(setImmediate)
      return heartbeat.canDetectSilent
    }
    heartbeat.start()
    await until(() => beats === 1, 'the first heartbeat')
    await new Promise(setImmediate)

    t.equal(await next(1_000_000, 1_015_000), false)
    t.equal(await next(1_015_000, 1_030_000), true, 'in contact for half a minute')
    t.equal(await next(1_030_000, 1_061_000), false, 'a gap that is too long')
    t.equal(await next(1_061_000, 1_080_000), false)
    t.equal(await next(1_080_000, 1_095_000), true)
    t.equal(await next(1_015_000, 1_096_000), false, 'a Redis with old data')
    t.equal(await next(0, 1_097_000), false, 'a Redis without data')
    await heartbeat.stop()
  })

  t.test('heartbeats continue, however long maintenance takes', async () => {
    const keys = new Keys('ns')
    let beats = 0
    let tidy = (): void => {}
    const run = async ({ name }: Script): Promise<unknown> => {
      if (name === 'heartbeat') return [1000 * beats, 1000 * ++beats, 0]
      if (name === 'tidy')
        await new Promise<void>((resolve) => {
          tidy = resolve
        })
      return name === 'tidy' ? 0 : []
    }
    const connection = { identity: 'server:1', run, onReconnect: () => () => {} } as unknown as CommandConnection
    const unacked = new UnackedDeliveries({ worker: 'w', keys, connection }, keys.queue(queueName))
    unacked.consumers++
    const queues = new Map([[queueName, unacked]])
    const maintenance = new Maintenance(unacked.session, queues, { heartbeatTimeout: 40, deadMessageTtl: 1000 })
    maintenance.start()
    await until(() => beats > 5, 'six heartbeats')
    tidy()
    await maintenance.close()
  })
})
