/** The signals that stop `runWorker()`, in a process of its own: repetitions, and a second wish. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { scene } from '../support/processes/child.js'

const patience = { timeout: '30s' } as const

const repetitions = [
  ['SIGTERM', 'SIGTERM', 3],
  ['SIGINT', 'SIGINT', 70],
  ['SIGINT', 'SIGTERM', 340],
] as const

for (const threads of [0, 1]) {
  t.test(`a signal that comes twice within a second lets messages end (threads: ${threads})`, async (t) => {
    const all = repetitions.map(async ([first, second, gap]) => {
      const { actor, broker, start } = scene(t)
      const worker = start('main.ts', { threads })
      const message = await actor('brief').send()
      await worker.said('brief began')
      worker.kill(first)
      await pause(gap)
      worker.kill(second)
      t.same(await worker.ended, [0, null], `${first} and ${gap} ms later ${second}`)
      t.equal(await message.result(patience), 'done')
      t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
    })
    await Promise.all(all)
  })
}

t.test('a second signal that comes a second later ends it at once', async (t) => {
  const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const
  const all = (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).map(async (signal) => {
    const { actor, start } = scene(t)
    const worker = start('main.ts', { threads: 1 })
    await actor('endless').send()
    await worker.said('endless began')
    worker.kill(signal)
    await worker.logged(/a second or more later, stops it at once/)
    await pause(1100)
    worker.kill(signal)
    t.same(await worker.ended, [codes[signal], null], signal)
  })
  await Promise.all(all)
})

t.test('SIGUSR2, as nodemon sends it with each change, is a stop in good order, however often it comes', async (t) => {
  const { actor, broker, start } = scene(t)
  const worker = start('main.ts', { threads: 1, shutdownTimeout: '1500ms' })
  await actor('endless').send()
  await worker.said('endless began')
  worker.kill('SIGUSR2')
  await worker.logged(/Asked to stop/)
  await pause(1100)
  worker.kill('SIGUSR2')
  t.same(await worker.ended, [0, null])
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0, dead: 0 })
})

t.test('SIGUSR2 that has another use in the process stops nothing', async (t) => {
  const worker = scene(t).start('uses-sigusr2.ts', { threads: 0 })
  await worker.logged(/Worker started/)
  worker.kill('SIGUSR2')
  await worker.said('a snapshot')
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
  t.notOk(worker.log.some(({ signal }) => signal === 'SIGUSR2'))
})
