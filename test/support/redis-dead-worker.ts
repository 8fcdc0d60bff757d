/** How the exam lets a worker die whose process has to live on. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'

/** Leaves what a worker holds to one that was last heard of long ago, as if that had taken it: nothing of it is its own any more. */
export async function leaveToDeadWorker(redis: Redis, namespace: string, worker: string): Promise<void> {
  const deadWorker = randomUUID()
  await redis.zadd(`${namespace}:__heartbeats__`, '1', deadWorker)
  for (const key of await redis.keys(`${namespace}:__acks__.${worker}.*`)) {
    await redis.rename(key, key.replace(worker, deadWorker))
  }
}
