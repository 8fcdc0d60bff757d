import { MemoryRateLimits } from '../../brokers/memory/index.js'
import { testRateLimits } from './contract.js'

let count = 0

testRateLimits('MemoryRateLimits', () => new MemoryRateLimits({ name: `exam ${count++}` }), {
  another: (backend) => new MemoryRateLimits({ name: (backend as MemoryRateLimits).name }),
})
