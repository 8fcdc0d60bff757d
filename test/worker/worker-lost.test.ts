/** Workers that are killed, and what becomes of the messages they held. */
import t from 'tap'
import { until } from '../support/memory.js'
import { scene } from '../support/processes/child.js'

const waitOptions = { timeout: '30s' } as const

t.test('what a worker held that was killed is run by another', async (t) => {
  const { actor, broker, start } = scene(t)
  const first = start('main.ts', { threads: 1, concurrency: 1, prefetch: 3 })
  await actor('endless').send()
  await first.said('endless began')
  const argLists = [
    [1, 2],
    [3, 4],
  ]
  const lying = await actor<number>('add').sendMany(argLists, { maxRetries: 1 })
  await until(async () => (await broker.stats('default')).inFlight === 3, 'both lie beside it')
  first.kill('SIGKILL')
  t.same(await first.ended, [null, 'SIGKILL'])
  start('main.ts', { threads: 1 })
  t.same(await Promise.all(lying.map((message) => message.result(waitOptions))), [3, 7])
})

for (const threads of [0, 1]) {
  t.test(
    `a message that kills its process every time is dead-lettered; its neighbours survive (threads: ${threads})`,
    async (t) => {
      const { actor, broker, start } = scene(t)
      const murder = await actor('murder').send()
      const neighbours = await actor<number>('add').sendMany(
        Array.from({ length: 5 }, (_, index) => [index, index]),
        { maxRetries: 20 },
      )
      for (let deaths = 0; deaths < 3; deaths++) {
        t.same(await start('main.ts', { threads, concurrency: 1, prefetch: 6 }).ended, [null, 'SIGKILL'])
      }
      const last = start('main.ts', { threads, concurrency: 1 })
      await t.rejects(murder.result(waitOptions), {
        name: 'ResultFailure',
        message: /WorkerLost: worker lost: delivered 3 times/,
      })
      for (const [index, message] of neighbours.entries()) t.equal(await message.result(waitOptions), 2 * index)
      t.match((await broker.deadLetters('default')).letters, [{ reason: /^worker lost/ }])
      last.kill('SIGTERM')
      t.same(await last.ended, [0, null])
    },
  )
}
