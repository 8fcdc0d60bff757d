/** What most tests of the Redis broker begin with: brokers in namespaces of their own, on a proxy or straight. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { RedisBroker, type RedisBrokerOptions } from '../../brokers/redis/index.js'
import { FaultyProxy } from './redis-faulty-proxy.js'

/** Opens brokers on a server: each without middleware, in a namespace of its own, and closed when its test ends. */
export function opener(url: string): (t: Test, options?: RedisBrokerOptions) => RedisBroker {
  return (t, options = {}) => {
    const broker = new RedisBroker({ url, namespace: randomUUID(), middleware: [], ...options })
    t.teardown(() => broker.close())
    return broker
  }
}

/** A proxy to a server on which things go wrong, until the test ends. */
export async function openProxy(
  t: Test,
  { port }: { readonly port: number },
): Promise<{ proxy: FaultyProxy; url: string }> {
  const proxy = new FaultyProxy(port)
  t.teardown(() => proxy.close())
  return { proxy, url: await proxy.listen() }
}

/** Whether some worker of that server sleeps. */
export async function sleeps(redis: Redis): Promise<boolean> {
  return /blocked_clients:[1-9]/.test(await redis.info('clients'))
}
