/** The contract tests on SQLite. */
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { brokerContract } from '../../testing/contract/index.js'
import { test } from '../support/contract.js'
import { crash, detour, makePath } from '../support/sqlite-files.js'

const heartbeatTimeout = 300

brokerContract({
  test,
  name: 'sqlite',
  make: (options, t) => new SQLiteBroker({ ...options, path: makePath(t), heartbeatTimeout }),
  another: (broker, options) =>
    new SQLiteBroker({ ...options, path: detour((broker as SQLiteBroker).path), heartbeatTimeout }),
  crash: (broker) => crash(broker as SQLiteBroker),
})
