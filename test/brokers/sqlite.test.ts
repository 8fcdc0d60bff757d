/** The contract tests on SQLite. */
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { crash, detour, makePath } from '../support/sqlite-files.js'
import { testBroker } from './contract.js'

const heartbeatTimeout = 300

testBroker('sqlite', (options, t) => new SQLiteBroker({ ...options, path: makePath(t), heartbeatTimeout }), {
  another: (broker, options) =>
    new SQLiteBroker({ ...options, path: detour((broker as SQLiteBroker).path), heartbeatTimeout }),
  crash: (broker) => crash(broker as SQLiteBroker),
})
