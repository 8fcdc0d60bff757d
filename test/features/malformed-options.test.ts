/** Options of foreign producers that are no good: no message is lost, and none stops a worker. */

import { Message } from '../../lib/message.js'
import { onEachBroker } from '../support/each-broker.js'
import { until } from '../support/memory.js'

const garbage: Record<string, unknown>[] = [
  { composition: [] },
  { composition: 'x' },
  { composition: null },
  { composition: { scopes: 'x' } },
  { composition: { scopes: [1, {}], group: { id: 'x', member: -1, size: 0 } } },
  { composition: { scopes: [], group: { id: '', member: 0, size: 1 } } },
  { composition: { scopes: [], group: { id: 'a\0b', member: 0, size: 1, barrier: true, cancel_others: 7 } } },
  { composition: { scopes: [], group: { id: '__proto__', member: 0, size: 1, collect: true } } },
  { composition: { scopes: [], group: { id: 'x', member: 2 ** 53, size: 1e300 } } },
  { composition: { scopes: [], deadline_of: { a: 1 } } },
  { composition: { scopes: [], deadline_of: '' } },
  { pipe_group: 'x' },
  { pipe_group: {} },
  { pipe_group: { messages: [1], records: [] } },
  { pipe_group: { messages: [{ message: {} }], records: [1] } },
  { pipe_group: { messages: [], records: [['group:x', 'not json']] } },
  { pipe_group: { messages: [], records: [[1, 2]] } },
  { pipe_target: 'x' },
  { pipe_target: { queue_name: 1 } },
  { unique: 1 },
  { unique: { key: 1 } },
  { unique: { key: 'k', until: 'finished', ttl: 1e300, on_duplicate: 'skip' } },
  { unique: { key: 'k', until: 'started', ttl: 1, on_duplicate: 'rerun', handle: 7 } },
  { unique: { key: 'k', until: 'finished', ttl: 1, on_duplicate: 'replace', handle: null } },
  { group_completion_uuid: 1, group_completion_callbacks: 'x' },
  { group_completion_uuid: 'x', group_completion_callbacks: 'x' },
  { group_completion_uuid: 'x', group_completion_callbacks: [1, null, {}] },
  { context: 'x' },
  { context: [] },
  { context: { __proto__: 1, requestId: {} } },
  { composition: { scopes: [], group: { id: 'x:outcome', member: 0, size: 1 } } },
  { composition: { scopes: [], callback_of: 'x:outcome' } },
  { composition: { scopes: [], deadline_of: 'x:outcome' } },
  { version: 'x' },
  { version: -1 },
  { cancellable: 'x' },
]

await onEachBroker((ask) => {
  ask('each of them ends, as a success or as a dead letter', async ({ t, broker, ...s }) => {
    const runs = new Map<number, number>()
    s.actor((index: number) => void runs.set(index, (runs.get(index) ?? 0) + 1), {
      actorName: 'job',
      storeResults: true,
    })
    for (const [index, options] of garbage.entries())
      await broker.enqueue(new Message({ queueName: 'default', actorName: 'job', args: [index], options }))
    const fails = s.actor((_: number) => Promise.reject(new Error('no')), {
      actorName: 'fails',
      maxRetries: 1,
      minBackoff: 1,
      maxBackoff: 1,
    })
    for (const [index, options] of garbage.entries())
      await broker.enqueue(new Message({ queueName: 'default', actorName: fails.actorName, args: [index], options }))
    await s.work()
    const show = async (): Promise<string> => {
      const { inFlight, delayed, ready } = await broker.stats('default')
      return `${ready} ready, ${delayed} delayed, ${inFlight} in flight`
    }
    const deadline = Date.now() + 8000
    await until(async () => (await show()) === '0 ready, 0 delayed, 0 in flight' || Date.now() > deadline)
    t.equal(await show(), '0 ready, 0 delayed, 0 in flight')
    for (const [index, count] of runs) t.equal(count, 1, JSON.stringify(garbage[index]))
  })
})
