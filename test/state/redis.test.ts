import { randomUUID } from 'node:crypto'
import { t } from 'tap'
import { RedisState } from '../../brokers/redis/index.js'
import { withRedisUrl } from '../support/redis-server.js'
import { testState } from './contract.js'

await withRedisUrl((url) => {
  const open = new Map<RedisState, string>()
  const make = (namespace = `exam-${randomUUID()}`): RedisState => {
    const state = new RedisState({ url, namespace })
    open.set(state, namespace)
    return state
  }
  t.afterEach(async () => {
    for (const state of open.keys()) await state.close()
    open.clear()
  })
  testState('RedisState', () => make(), { another: (state) => make(open.get(state as RedisState)) })
})
