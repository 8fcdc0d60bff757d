import { MemoryState } from '../../brokers/memory/index.js'
import { systemClock } from '../../lib/time.js'
import { stateContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'

stateContract({ test, name: 'MemoryState', make: () => new MemoryState({ clock: systemClock }) })
