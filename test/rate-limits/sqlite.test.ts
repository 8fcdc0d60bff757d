/** The contract tests of rate limit backends on SQLite. */
import { SQLiteRateLimits } from '../../brokers/sqlite/index.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { rateLimitsContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { detour, makePath } from '../support/sqlite-files.js'

const paths = new WeakMap<RateLimitBackend, string>()

rateLimitsContract({
  test,
  name: 'sqlite',
  make: (t) => {
    const path = makePath(t)
    const limits = new SQLiteRateLimits({ path })
    paths.set(limits, path)
    t.teardown(() => limits.close())
    return limits
  },
  another: (backend) => new SQLiteRateLimits({ path: detour(paths.get(backend) as string) }),
})
