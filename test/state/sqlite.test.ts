import { SQLiteState } from '../../brokers/sqlite/index.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { stateContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { detour, makePath } from '../support/sqlite-files.js'

const paths = new WeakMap<StateBackend, string>()

stateContract({
  test,
  name: 'SQLiteState',
  make(t) {
    const path = makePath(t)
    const state = new SQLiteState({ path })
    paths.set(state, path)
    return state
  },
  another: (state) => new SQLiteState({ path: detour(paths.get(state) as string) }),
})
