/**
 * The speed of Redis and Node without a library: the minimum that stores messages as Dramatiq does, fetches them
 * into an ack set, parses and acknowledges them, many per call. The reference for the broker, and for every other queue.
 */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { Keys } from '../../brokers/redis/keys.js'

export interface BareOptions {
  url: string
  namespace: string
  count: number
}

/** A message of about 200 bytes, in wire format. */
export function wire(index: number, id: string): object {
  return {
    queue_name: 'bench',
    actor_name: 'noop',
    args: [index, 'x'.repeat(8)],
    kwargs: {},
    options: { redis_message_id: id },
    message_id: randomUUID(),
    message_timestamp: Date.now(),
  }
}

/** The minimum that stores messages in Dramatiq's format. */
const bareScript = `
  local ids = {}
  for at = 1, #ARGV, 2 do ids[#ids + 1] = ARGV[at] end
  redis.call('HSET', KEYS[2], unpack(ARGV))
  redis.call('RPUSH', KEYS[1], unpack(ids))`

/** Stores messages, 250 per call with at most eight concurrent calls; ids and bodies as plain arguments. */
export async function bareEnqueue({ url, namespace, count }: BareOptions): Promise<void> {
  const redis = new Redis(url)
  const { lists, messages } = new Keys(namespace).queue('bench')
  const sha = (await redis.script('LOAD', bareScript)) as string
  let underWay: Promise<unknown>[] = []
  for (let at = 0; at < count; at += 250) {
    const args: string[] = []
    for (let index = at; index < Math.min(at + 250, count); index++) {
      const id = randomUUID()
      args.push(id, JSON.stringify(wire(index, id)))
    }
    underWay.push(redis.evalsha(sha, 2, lists[9] as string, messages, ...args))
    if (underWay.length === 8) {
      await Promise.all(underWay)
      underWay = []
    }
  }
  await Promise.all(underWay)
  redis.disconnect()
}

const bareFetch = `
  local ids = redis.call('LPOP', KEYS[1], ARGV[1])
  if not ids then return {} end
  redis.call('SADD', KEYS[2], unpack(ids))
  local reply, bodies = {}, redis.call('HMGET', KEYS[3], unpack(ids))
  for index, id in ipairs(ids) do
    reply[2 * index - 1], reply[2 * index] = id, bodies[index]
  end
  return reply`

const bareAck = `
  redis.call('SREM', KEYS[1], unpack(ARGV))
  redis.call('HDEL', KEYS[2], unpack(ARGV))`

/** Fetches 256 per call, parses, and acknowledges them in one call while the next are fetched. */
export async function bareDrain({ url, namespace, count }: BareOptions): Promise<void> {
  const redis = new Redis(url)
  const keys = new Keys(namespace)
  const { lists, messages } = keys.queue('bench')
  const acks = keys.acks(randomUUID(), 'bench')
  const [fetchSha, ackSha] = [await redis.script('LOAD', bareFetch), await redis.script('LOAD', bareAck)] as string[]
  const fetch = (): Promise<unknown> => redis.evalsha(fetchSha as string, 3, lists[9] as string, acks, messages, 256)
  let done = 0
  let acked: Promise<unknown> = Promise.resolve()
  let next = fetch()
  while (done < count) {
    const answer = (await next) as string[]
    next = fetch()
    const ids: string[] = []
    for (let at = 0; at < answer.length; at += 2) {
      ids.push(answer[at] as string)
      JSON.parse(answer[at + 1] as string)
    }
    done += ids.length
    await acked
    acked = redis.evalsha(ackSha as string, 2, acks, messages, ...ids)
  }
  await acked
  await next
  redis.disconnect()
}
