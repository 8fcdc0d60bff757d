/** What most tests of the Redis broker begin with: brokers in namespaces of their own, on a road or straight. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { RedisBroker, type RedisBrokerOptions } from '../../brokers/redis/index.js'
import { Stall } from './redis-stall.js'

/** Opens brokers on a server: each without middleware, in a namespace of its own, and closed when its test ends. */
export function opener(url: string): (t: Test, options?: RedisBrokerOptions) => RedisBroker {
  return (t, options = {}) => {
    const broker = new RedisBroker({ url, namespace: randomUUID(), middleware: [], ...options })
    t.teardown(() => broker.close())
    return broker
  }
}

/** A road to a server on which things go wrong, until the test ends. */
export async function openRoad(t: Test, { port }: { readonly port: number }): Promise<{ road: Stall; url: string }> {
  const road = new Stall(port)
  t.teardown(() => road.close())
  return { road, url: await road.listen() }
}

/** Whether some worker of that server sleeps. */
export async function sleeps(redis: Redis): Promise<boolean> {
  return /blocked_clients:[1-9]/.test(await redis.info('clients'))
}
