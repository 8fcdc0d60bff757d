import { MemoryRateLimits } from '../../brokers/memory/index.js'
import { rateLimitsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'

let count = 0

rateLimitsContract({
  test,
  name: 'MemoryRateLimits',
  make: () => new MemoryRateLimits({ name: `exam ${count++}` }),
  another: (backend) => new MemoryRateLimits({ name: (backend as MemoryRateLimits).name }),
})
