/** Composition and unique messages from within actors: inline and on threads, on every broker. */
import { setBroker } from '../../lib/default-broker.js'
import * as actors from '../support/actors/composing.js'
import { onEachBroker } from '../support/each-broker.js'

const modules = [new URL('../support/actors/composing.ts', import.meta.url).href]
const patience = { timeout: '30s' } as const

await onEachBroker((ask) => {
  for (const threads of [0, 2]) {
    const where = threads === 0 ? 'inline' : 'on threads'

    ask(`an actor ${where} composes messages, and waits for them`, async ({ t, broker, ...s }) => {
      setBroker(broker)
      await s.work({ threads, concurrency: 8, modules, queues: ['default'] })
      t.equal(await (await actors.where.send()).result(patience), threads === 0 ? 'main' : 'thread')
      t.same(await (await actors.composeGroup.send(5)).result(patience), {
        end: 'completed',
        results: [1, 2, 3, 4, 5],
        completed: 5,
      })
      t.equal(await (await actors.composePipeline.send()).result(patience), 13 + 23)
      t.equal(await (await actors.composeFailure.send()).result(patience), 'failed')
      t.same(await (await actors.sendTwice.send('a')).result(patience), [false, 'skipped', true])
      t.equal((await broker.stats('once')).ready, 1)
    })
  }
})
