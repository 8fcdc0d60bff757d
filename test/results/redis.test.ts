import { randomUUID } from 'node:crypto'
import { RedisResults } from '../../brokers/redis/index.js'
import { resultsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { withRedisUrl } from '../support/redis-server.js'

await withRedisUrl((url) => {
  resultsContract({
    test,
    name: 'RedisResults',
    make: (options) => new RedisResults({ url, namespace: randomUUID(), ...options }),
    another: (backend, options) => new RedisResults({ url, namespace: backend.namespace, ...options }),
  })
})
