/** The signals that stop `runWorker()`, in a process of its own: repetitions, and a second wish. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { type Child, scene } from '../support/processes/child.js'

const waitOptions = { timeout: '30s' } as const

/** Sends two signals; says how many milliseconds lay between them at most, on a machine that may be busy. */
async function killTwice(worker: Child, first: NodeJS.Signals, second: NodeJS.Signals, gap: number): Promise<number> {
  const began = performance.now()
  worker.kill(first)
  await pause(gap)
  worker.kill(second)
  return Math.round(performance.now() - began)
}

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
      const took = await killTwice(worker, first, second, gap)
      const ended = await worker.ended
      if (took > 900) return t.comment(`${first} and ${second} came ${took} ms apart, which is another case`)
      t.same(ended, [0, null], `${first} and ${gap} ms later ${second}`)
      t.equal(await message.result(waitOptions), 'done')
      t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
    })
    await Promise.all(all)
  })
}

t.test('a signal that is heard of late, since an actor blocked the event loop, is no later for that', async (t) => {
  const { actor, start } = scene(t)
  const worker = start('main.ts', { threads: 0 })
  const message = await actor('blocking').send()
  await worker.said('blocking began')
  const took = await killTwice(worker, 'SIGTERM', 'SIGTERM', 70)
  const ended = await worker.ended
  if (took > 900) return t.comment(`the signals came ${took} ms apart, which is another case`)
  t.same(ended, [0, null])
  t.equal(await message.result(waitOptions), 'done')
})

t.test('a second signal that comes a second later ends it at once', async (t) => {
  const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const
  const all = (['SIGTERM', 'SIGINT', 'SIGHUP'] as const).map(async (signal) => {
    const { actor, start } = scene(t)
    const worker = start('main.ts', { threads: 1 })
    await actor('endless').send()
    await worker.said('endless began')
    worker.kill(signal)
    await worker.logged(/a second or more later, ends the process immediately/)
    // Once is enough; on a machine that stands still just then it takes another.
    const repeatSignal = setInterval(() => worker.kill(signal), 1500)
    const ended = await worker.ended
    clearInterval(repeatSignal)
    t.same(ended, [codes[signal], null], signal)
  })
  await Promise.all(all)
})

t.test('SIGUSR2, as nodemon sends it with each change, is a stop in good order, however often it comes', async (t) => {
  const { actor, broker, start } = scene(t)
  const worker = start('main.ts', { threads: 1, shutdownTimeout: '1500ms' })
  await actor('endless').send()
  await worker.said('endless began')
  worker.kill('SIGUSR2')
  await worker.logged(/Shutting down/)
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
