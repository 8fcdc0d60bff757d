import { t } from 'tap'
import { RedisRateLimits } from '../../brokers/redis/index.js'
import { rateLimitsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { withRedis } from '../support/redis-server.js'

// A separate server, because the keys of rate limiters have no namespace.
await withRedis((server) => {
  const { url } = server
  const client = server.client()
  const open: RedisRateLimits[] = []
  const make = (): RedisRateLimits => {
    const backend = new RedisRateLimits({ url })
    open.push(backend)
    return backend
  }
  t.afterEach(async () => {
    for (const backend of open.splice(0)) await backend.close()
  })
  rateLimitsContract({
    test,
    name: 'RedisRateLimits',
    make: async () => {
      await client.flushdb()
      return make()
    },
    another: make,
  })
})
