/** Under `exactOptionalPropertyTypes` what may be left out may also be given as `undefined`. Compiled with that option. */

import { MemoryBroker } from '../../brokers/memory/index.js'
import { RedisBroker, type RedisRateLimits, RedisResults } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import {
  actor,
  type Duration,
  Message,
  Results,
  Retries,
  Retry,
  runWorker,
  TimeLimit,
  Worker,
} from '../../lib/index.js'
import { Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter } from '../../lib/rate-limits/index.js'

export async function whatMayBeLeftOutMayBeUndefined(
  backend: RedisRateLimits,
  delay: Duration | undefined,
  count: number | undefined,
  flag: boolean | undefined,
  text: string | undefined,
): Promise<void> {
  const one = actor((_n: number) => {}, {
    actorName: text,
    queueName: text,
    broker: undefined,
    schema: undefined,
    version: count,
    migrate: undefined,
    priority: count,
    maxRetries: count,
    minBackoff: delay,
    maxBackoff: delay,
    jitter: flag,
    throws: undefined,
    retryWhen: undefined,
    onSuccess: text,
    timeLimit: delay,
    maxAge: delay,
    notifyShutdown: flag,
    storeResults: flag,
    resultTtl: delay,
    pipeIgnore: flag,
  })
  const message = await one.sendWithOptions({
    args: [1],
    delay,
    kwargs: undefined,
    options: undefined,
    priority: count,
  })
  await one.sendMany([[1]], { delay })
  await message.result({ timeout: delay })
  message.with({ messageId: text })
  new Message({ queueName: 'a', actorName: 'b', args: [], messageId: text, messageTimestamp: count })

  const common = { enqueueTimeout: delay, maxMessageSize: count, deadMessageTtl: delay, middleware: undefined }
  const broker = new MemoryBroker(common)
  new SQLiteBroker({ ...common, path: text, heartbeatTimeout: delay, synchronous: undefined })
  new RedisBroker({ ...common, url: text, redis: undefined, nodes: undefined, namespace: text, delayQueue: undefined })
  broker.use(new Retries({ maxRetries: count, minBackoff: delay }), { before: undefined })
  broker.use(new TimeLimit({ grace: delay }))
  broker.use(new Results({ backend: new RedisResults({ url: text }), storeResults: flag }))
  await broker.join('default', { timeout: delay })
  await broker.enqueue(message, { delay })
  await broker.deadLetters('default', { limit: count, cursor: text })

  const worker = new Worker(broker, { threads: count, queues: undefined, modules: undefined, shutdownTimeout: delay })
  await worker.stop({ timeout: delay })
  await runWorker({ concurrency: count, prefetch: count, resourceLimits: undefined })

  new ConcurrentRateLimiter(backend, 'key', { limit: count, ttl: delay })
  new BucketRateLimiter(backend, 'key', { limit: count, bucket: delay })
  new WindowRateLimiter(backend, 'key', { limit: count, window: delay })
  await new Barrier(backend, 'key', { ttl: delay }).wait({ timeout: delay, block: flag })
  throw new Retry({ delay, message: text })
}
