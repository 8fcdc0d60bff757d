/** More than one worker in a process. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor } from '../../lib/actor.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/threaded.js'
import { captureLog } from '../support/log.js'
import { scene } from '../support/processes/child.js'

const waitOptions = { timeout: '30s' } as const

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

t.test(
  'a process with two workers ends with the last of them: an idle one cuts off nothing of the other',
  async (t) => {
    const { actor, broker, start } = scene(t)
    const message = await actor('long').send()
    const worker = start('two-workers.ts')
    t.equal(await (await actor('short', 'other').send()).result(waitOptions), 'short')
    worker.kill('SIGTERM')
    t.same(await worker.ended, [0, null])
    t.equal(await message.result(), 'done')
    t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
    t.equal(worker.log.filter(({ msg }) => msg === 'Worker stopped').length, 2)
  },
)

t.test('when one of two workers fails the other stops in good order, and the exit code is 1', async (t) => {
  const { actor, broker, start } = scene(t)
  const message = await actor('long').send()
  const worker = start('two-workers.ts', { prefetch: -1 })
  t.same(await worker.ended, [1, null])
  t.equal(await message.result(), 'done')
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
  t.match(
    worker.log.filter(({ level }) => level >= 50),
    [{ msg: /The worker could not start: .*prefetch/ }],
  )
})
