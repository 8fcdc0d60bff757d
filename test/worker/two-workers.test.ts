/** More than one worker in a process. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor } from '../../lib/actor.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/threaded.js'
import { captureLog } from '../support/log.js'

t.test('what an actor on a thread sends goes to the broker of its own worker', async (t) => {
  captureLog()
  const [first, second] = [new MemoryBroker(), new MemoryBroker()]
  setBroker(first)
  actor(async () => {}, { actorName: 'other', broker: second })
  const modules = [new URL('../support/actors/threaded.ts', import.meta.url)]
  const workers = [new Worker(first, { threads: 1, modules }), new Worker(second, { threads: 0 })]
  t.teardown(async () => {
    for (const worker of workers) await worker.stop({ timeout: 0 })
    for (const broker of [first, second]) await broker.close()
  })
  for (const worker of workers) await worker.start()
  t.equal(await (await actors.forward.send(4)).result({ timeout: '20s' }), 8)
})
