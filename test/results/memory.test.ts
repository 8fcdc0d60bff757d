import { MemoryResults } from '../../brokers/memory/index.js'
import { resultsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'

resultsContract({ test, name: 'MemoryResults', make: (options) => new MemoryResults(options) })
