/** A broker that several processes share, named in one text. */
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import type { Broker } from '../../lib/broker.js'

/** @param shared `redis <url> <namespace>` or `sqlite <path>`. */
export function makeBroker(shared: string): Broker {
  const [technology, where, namespace] = shared.split(' ')
  // A new process waits this long before it declares another worker dead.
  const heartbeatTimeout = '1s'
  if (technology === 'redis') return new RedisBroker({ url: where, namespace, heartbeatTimeout })
  return new SQLiteBroker({ path: where, heartbeatTimeout })
}
