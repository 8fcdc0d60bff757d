/** `maxMemory`: a thread that uses more is ended, and not the process. */
import t from 'tap'
import { canWatchMemory } from '../../lib/worker/threads/memory-limit.js'
import * as actors from '../support/actors/isolation.js'
import { began, broker, log, waitOptions, work } from '../support/isolation-worker.js'
import { failure } from '../support/memory.js'

// Below Node 22.16 it is V8's own limit, at which what allocates quickly may abort the process.
for (const how of canWatchMemory ? (['quickly', 'slowly'] as const) : (['slowly'] as const)) {
  t.test(`an actor that takes more and more memory is ended with its thread (${how})`, async (t) => {
    await work(t, { maxMemory: 64 })
    const beside = await actors.patient.send(300)
    const culprit = await actors.hoard.send(how)
    await t.rejects(culprit.result(waitOptions), failure('WorkerThreadLost', /memory/))
    t.type(await beside.result(waitOptions), 'number', 'the worker goes on, and nobody else pays')
    t.equal(began('culprit'), 2, 'it was found out alone')
    t.match(await broker.stats('default'), { dead: 1 })
  })
}

t.test('garbage is not held against anybody', async (t) => {
  await work(t, { maxMemory: 64 })
  t.equal(await (await actors.litter.send(400)).result(waitOptions), 'clean')
  t.same(
    log.filter(({ level }) => level === 'error' || level === 'warn'),
    [],
  )
})
