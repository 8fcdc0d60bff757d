import { MemoryResults } from '../../brokers/memory/index.js'
import { testResults } from './contract.js'

testResults('MemoryResults', (options) => new MemoryResults(options))
