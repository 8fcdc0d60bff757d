/**
 * Child process of the status tests: a worker whose actor reports half and never ends.
 *
 * argv: the URL of Redis, or the path of a SQLite file · the namespace in Redis, or ''
 */
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor, current, Worker } from '../../lib/index.js'
import { setLogger } from '../../lib/logger.js'

const [place, namespace] = process.argv.slice(2) as [string, string]
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })

const broker = namespace
  ? new RedisBroker({ url: place, namespace, heartbeatTimeout: 1000 })
  : new SQLiteBroker({ path: place })

actor(
  async () => {
    current().progress(0.5)
    current().log('of the first worker')
    await new Promise(() => setInterval(() => {}, 1000))
  },
  { actorName: 'job', broker, trackStatus: true, maxRetries: 3 },
)

await new Worker(broker, { threads: 0 }).start()
