/** Actors that keep state in the main thread's memory, on any thread. */
import { threadId } from 'node:worker_threads'
import { MemoryRateLimits, MemoryResults } from '../../../brokers/memory/index.js'
import { actor, Message, type ResultFailure } from '../../../lib/index.js'
import { Barrier, ConcurrentRateLimiter } from '../../../lib/rate-limits/index.js'

const shared = { storeResults: true, maxRetries: 0 } as const
const limits = new MemoryRateLimits({ name: 'threads' })
export const results = new MemoryResults({ namespace: 'threads' })

/** Whether it acquired one of two slots, which it doesn't release. */
export const grab = actor(async function grab() {
  return (await new ConcurrentRateLimiter(limits, 'pair', { limit: 2 }).tryAcquire()) !== undefined
}, shared)

/** Waits at the barrier for all parties. */
export const meet = actor(async function meet() {
  return { all: await new Barrier(limits, 'meeting').wait({ timeout: '20s' }), threadId }
}, shared)

/** Waits for a result that the test stores, and stores one. */
export const relay = actor(async function relay(from: string, to: string) {
  const value = await results.get(made(from), { timeout: '20s' })
  await results.storeResult(made(to), value, 60_000)
  return results.get(made(to), { timeout: 0 })
}, shared)

/** Waits for a failure that the test stores, and stores the error that it caught. */
export const relayFailure = actor(async function relayFailure(from: string, to: string) {
  const waiting = results.get(made(from), { timeout: '20s' })
  const { type, reason, traceback } = (await waiting.catch((error) => error)) as ResultFailure
  await results.storeFailure(made(to), { type, message: reason, traceback }, 60_000)
}, shared)

export function made(messageId: string): Message {
  return new Message({ queueName: 'default', actorName: 'by-hand', args: [], messageId })
}
