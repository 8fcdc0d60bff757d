/** How the broker contract simulates the death of a worker whose process has to continue. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'

/** Moves a worker's unacked messages to a worker with a very old heartbeat, as if that one had taken them. */
export async function leaveToDeadWorker(redis: Redis, namespace: string, worker: string): Promise<void> {
  const deadWorker = randomUUID()
  await redis.zadd(`${namespace}:__heartbeats__`, '1', deadWorker)
  for (const key of await redis.keys(`${namespace}:__acks__.${worker}.*`)) {
    await redis.rename(key, key.replace(worker, deadWorker))
  }
}
