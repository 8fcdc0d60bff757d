/** Groups on a Redis that can't be reached, or whose keys are of another kind than a producer says. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { t } from 'tap'
import { RedisBroker } from '../../brokers/redis/index.js'
import { group } from '../../lib/composition/group.js'
import { Message } from '../../lib/message.js'
import { stage, until } from '../support/memory.js'
import { freePort, withRedisUrl } from '../support/redis-server.js'

t.test('run() rejects within the enqueueTimeout while Redis is away', async (t) => {
  const url = `redis://127.0.0.1:${await freePort()}`
  const s = stage(t, new RedisBroker({ url, enqueueTimeout: 200 }) as never)
  const job = s.actor(() => {}, { actorName: 'job' })
  await t.rejects(group([job.message()]).run(), { name: 'EnqueueTimeout', timeout: 200 })
})

await withRedisUrl((url) => {
  t.test('members that name a key of another kind end, as a success or as a dead letter', async (t) => {
    const namespace = `groups-${randomUUID()}`
    const broker = new RedisBroker({ url, namespace })
    const s = stage(t, broker as never)
    const redis = new Redis(url)
    t.teardown(() => redis.quit())
    const list = `${namespace}:a list`
    await redis.rpush(list, 'x')
    t.teardown(() => redis.del(list))
    const runs: number[] = []
    s.actor((index: number) => runs.push(index), { actorName: 'job', maxRetries: 1, minBackoff: 1, maxBackoff: 1 })
    const group = { id: list, member: 0, size: 2, barrier: 'ends' }
    const options = [
      { group_completion_uuid: list, group_completion_callbacks: [1] },
      { composition: { scopes: [], group } },
      { composition: { scopes: [], group: { ...group, size: 1 } } },
    ]
    for (const [index, one] of options.entries())
      await broker.enqueue(new Message({ queueName: 'default', actorName: 'job', args: [index], options: one }))
    await s.work()
    await until(async () => {
      const { ready, delayed, inFlight } = await broker.stats('default')
      return ready + delayed + inFlight === 0
    }, 'all have ended')
    t.same(runs.sort(), [0, 1, 2])
  })
})
