import { SQLiteState } from '../../brokers/sqlite/index.js'
import type { StateBackend } from '../../lib/state/backend.js'
import { detour, makePath } from '../support/sqlite-files.js'
import { testState } from './contract.js'

const paths = new WeakMap<StateBackend, string>()

testState(
  'SQLiteState',
  (t) => {
    const path = makePath(t)
    const state = new SQLiteState({ path })
    paths.set(state, path)
    t.teardown(() => state.close())
    return state
  },
  { another: (state) => new SQLiteState({ path: detour(paths.get(state) as string) }) },
)
