/** The contract tests of rate limit backends on SQLite. */
import { SQLiteRateLimits } from '../../brokers/sqlite/index.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { detour, makePath } from '../support/sqlite-files.js'
import { testRateLimits } from './contract.js'

const paths = new WeakMap<RateLimitBackend, string>()

testRateLimits(
  'sqlite',
  (t) => {
    const path = makePath(t)
    const limits = new SQLiteRateLimits({ path })
    paths.set(limits, path)
    t.teardown(() => limits.close())
    return limits
  },
  { another: (backend) => new SQLiteRateLimits({ path: detour(paths.get(backend) as string) }) },
)
