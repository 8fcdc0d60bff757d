import { MemoryBroker } from '../../brokers/memory/index.js'
import { brokerContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'

brokerContract({ test, name: 'MemoryBroker', make: (options) => new MemoryBroker(options) })
