/** Actors whose threads are lost, and others that run on the same threads. */
import { isMainThread, threadId } from 'node:worker_threads'
import { actor } from '../../../lib/index.js'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const shared = { storeResults: true, maxRetries: 0 } as const

/** Threads that are started while this is set die as soon as they are loaded. */
if (!isMainThread && process.env.SICKLY_THREADS) {
  setTimeout(() => {
    throw new Error('a module that can not live')
  }, 1)
}

export const exit = actor(() => process.exit(3), { ...shared, actorName: 'exit' })

export const nap = actor(
  async (ms: number) => {
    await wait(ms)
    return threadId
  },
  { ...shared, actorName: 'nap' },
)

/** Takes a short time, within its limit; but its thread takes longer than that to load. */
export const brief = actor(
  async () => {
    await wait(1)
    return 'done'
  },
  { ...shared, actorName: 'brief', timeLimit: 100 },
)

/** Succeeds, and leaves a timer that throws a little later. */
export const leaveBehind = actor(
  () => {
    setTimeout(() => {
      throw new RangeError('left behind')
    }, 50)
    return 'ended'
  },
  { ...shared, actorName: 'leaveBehind' },
)

/** Throws a value that can hardly be shown. */
export const throwOdd = actor(
  (how: 'bare' | 'symbol' | 'undefined') => {
    if (how === 'bare') throw Object.create(null)
    if (how === 'symbol') throw Symbol('odd')
    throw undefined
  },
  { ...shared, actorName: 'throwOdd' },
)
