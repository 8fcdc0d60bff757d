import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { RedisBroker } from '../../brokers/redis/index.js'
import { withRedisUrl } from '../support/redis-server.js'
import { testBroker } from './contract.js'

await withRedisUrl((url) => {
  testBroker('RedisBroker', (options) => new RedisBroker({ url, namespace: `exam-${randomUUID()}`, ...options }), {
    another: (broker, options) => new RedisBroker({ url, namespace: (broker as RedisBroker).namespace, ...options }),
    async crash(broker) {
      const { namespace, workerId } = broker as RedisBroker
      const redis = new Redis(url)
      await redis.zadd(`${namespace}:__heartbeats__`, 'XX', 0, workerId)
      redis.disconnect()
    },
  })
})
