/** Brokers for tests, each in its own namespace, connected directly or through a proxy. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { RedisBroker, type RedisBrokerOptions } from '../../brokers/redis/index.js'
import { FaultyProxy } from './redis-faulty-proxy.js'

/** Opens brokers on a server: each without middleware, in its own namespace, and closed when its test ends. */
export function opener(url: string): (t: Test, options?: RedisBrokerOptions) => RedisBroker {
  return (t, options = {}) => {
    const broker = new RedisBroker({ url, namespace: randomUUID(), middleware: [], ...options })
    t.teardown(() => broker.close())
    return broker
  }
}

/** Opens a proxy that simulates failures, until the test ends. */
export async function openProxy(
  t: Test,
  { port }: { readonly port: number },
): Promise<{ proxy: FaultyProxy; url: string }> {
  const proxy = new FaultyProxy(port)
  t.teardown(() => proxy.close())
  return { proxy, url: await proxy.listen() }
}

/** Whether a worker of that server sleeps. */
export async function sleeps(redis: Redis): Promise<boolean> {
  return /blocked_clients:[1-9]/.test(await redis.info('clients'))
}
