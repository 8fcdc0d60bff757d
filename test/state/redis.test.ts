import { randomUUID } from 'node:crypto'
import { RedisState } from '../../brokers/redis/index.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { stateContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { withRedisUrl } from '../support/redis-server.js'

await withRedisUrl((url) => {
  const namespaces = new WeakMap<StateBackend, string>()
  const make = (namespace = `exam-${randomUUID()}`): RedisState => {
    const state = new RedisState({ url, namespace })
    namespaces.set(state, namespace)
    return state
  }
  stateContract({ test, name: 'RedisState', make: () => make(), another: (state) => make(namespaces.get(state)) })
})
