import { randomUUID } from 'node:crypto'
import { RedisResults } from '../../brokers/redis/index.js'
import { withRedisUrl } from '../support/redis-server.js'
import { testResults } from './contract.js'

await withRedisUrl((url) => {
  testResults('RedisResults', (options) => new RedisResults({ url, namespace: randomUUID(), ...options }), {
    another: (backend, options) => new RedisResults({ url, namespace: backend.namespace, ...options }),
  })
})
