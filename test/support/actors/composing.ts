/** Actors that compose messages where they run: inline or on a thread. */
import { isMainThread } from 'node:worker_threads'
import { actor, group, pipeline } from '../../../lib/index.js'

const kept = { storeResults: true } as const

export const add = actor((a: number, b: number) => a + b, { actorName: 'add', ...kept })
export const total = actor((values: number[]) => values.reduce((a, b) => a + b, 0), { actorName: 'total', ...kept })
export const where = actor(() => (isMainThread ? 'main' : 'thread'), { actorName: 'where', ...kept })
export const once = actor((_key: string) => {}, { actorName: 'once', unique: true, queueName: 'once' })
export const fail = actor(() => Promise.reject(new Error('no')), { actorName: 'fail', maxRetries: 0 })

/** Runs a group, and waits for its end and its results. */
export const composeGroup = actor(
  async (count: number) => {
    const sums = group(Array.from({ length: count }, (_, index) => add.message(index, 1)))
    await sums.run()
    const end = await sums.wait({ timeout: '20s' })
    return { end, results: await sums.result({ timeout: '20s' }), completed: await sums.completedCount() }
  },
  { actorName: 'composeGroup', ...kept },
)

export const composePipeline = actor(
  async () => {
    const piped = pipeline([add.message(1, 2), group([add.message(10), add.message(20)]), total.message()])
    await piped.run()
    return piped.result({ timeout: '20s' })
  },
  { actorName: 'composePipeline', ...kept },
)

export const composeFailure = actor(
  async () => {
    const failing = group([fail.message(), add.message(1, 1)])
    await failing.run()
    return failing.wait({ timeout: '20s' })
  },
  { actorName: 'composeFailure', ...kept },
)

/** Sends a unique message twice. */
export const sendTwice = actor(
  async (key: string) => {
    const [first, second] = [await once.send(key), await once.send(key)]
    return [first.deduplicated, second.deduplicated, first.messageId === second.messageId]
  },
  { actorName: 'sendTwice', ...kept },
)
