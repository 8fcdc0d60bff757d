import { MemoryBroker } from '../../brokers/memory/index.js'
import { testBroker } from './contract.js'

testBroker('MemoryBroker', (options) => new MemoryBroker(options))
