import { MemoryState } from '../../brokers/memory/index.js'
import { systemClock } from '../../lib/time.js'
import { testState } from './contract.js'

testState('MemoryState', (t) => {
  const state = new MemoryState({ clock: systemClock })
  t.teardown(() => state.close())
  return state
})
