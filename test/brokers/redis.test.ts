import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { RedisBroker } from '../../brokers/redis/index.js'
import { brokerContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { leaveToDeadWorker } from '../support/redis-dead-worker.js'
import { withRedisUrl } from '../support/redis-server.js'

await withRedisUrl((url) => {
  // A new process waits this long before it declares another worker dead.
  const settings = { url, heartbeatTimeout: '1s' } as const
  brokerContract({
    test,
    name: 'RedisBroker',
    make: (options) => new RedisBroker({ ...settings, namespace: `exam-${randomUUID()}`, ...options }),
    another: (broker, options) =>
      new RedisBroker({ ...settings, namespace: (broker as RedisBroker).namespace, ...options }),
    async crash(broker) {
      const { namespace, workerId } = broker as RedisBroker
      const redis = new Redis(url)
      await leaveToDeadWorker(redis, namespace, workerId)
      redis.disconnect()
    },
  })
})
