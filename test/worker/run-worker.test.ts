/** `runWorker()` in a process of its own, over the SQLite file that is the default broker: signals and exit codes. */
import t from 'tap'
import { until } from '../support/memory.js'
import { scene } from '../support/processes/child.js'

const waitOptions = { timeout: '30s' } as const

t.test('a worker runs on threads what another process sent, with current() there', async (t) => {
  const { actor, start } = scene(t)
  const sums = await actor<number>('add').sendMany(Array.from({ length: 20 }, (_, index) => [index, 1]))
  const where = await actor<{ isMainThread: boolean; pid: number; messageId: string }>('where').send()
  const worker = start('main.ts', { threads: 2 })
  for (const [index, message] of sums.entries()) t.equal(await message.result(waitOptions), index + 1)
  t.match(await where.result(waitOptions), { isMainThread: false, pid: worker.pid, messageId: where.messageId })
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
})

t.test('SIGTERM lets end what can, gives the rest back uncounted, and exits with code 0', async (t) => {
  const { actor, broker, start } = scene(t)
  const worker = start('main.ts', { threads: 1, concurrency: 2, prefetch: 4, shutdownTimeout: '500ms' })
  const polite = await actor('polite').send()
  await worker.said('polite began')
  await actor('endless').sendMany([[], [], []])
  await worker.said('endless began')
  await until(async () => (await broker.stats('default')).inFlight === 4, 'all in the hands of the worker')
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
  t.equal(await polite.result(waitOptions), 'ended in good order')
  t.match(await broker.stats('default'), { ready: 3, inFlight: 0, dead: 0 })
  const consumer = broker.consume('default')
  t.same(
    (await consumer.take(3)).map(({ deliveryCount }) => deliveryCount),
    [1, 1, 1],
  )
  t.equal(worker.log.at(-1)?.msg, 'Worker stopped')
})

t.test('SIGTERM while it starts is a stop in good order, too', async (t) => {
  const { start } = scene(t)
  const worker = start('slow-to-load.ts')
  await worker.said('loading')
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
  t.notOk(
    worker.log.some(({ level }) => level >= 50),
    worker.errors,
  )
})

t.test(
  "a script that doesn't load in a thread stops the worker with its error and code 1, and isn't tried again",
  async (t) => {
    const { start } = scene(t)
    const worker = start('broken-in-threads.ts')
    t.same(await worker.ended, [1, null])
    const errors = worker.log.filter(({ level }) => level >= 50)
    t.match(errors, [{ msg: /broken-in-threads\.ts could not be loaded: only for the main thread/ }])
    t.equal(errors.length, 1)
  },
)

t.test('a worker without actors says what is missing and exits with code 1', async (t) => {
  const worker = scene(t).start('empty.ts')
  t.same(await worker.ended, [1, null])
  t.match(worker.log.at(-1), { level: 50, msg: /No actors are declared .* import their modules before/ })
})

t.test('a script that throws ends as any script of Node does', async (t) => {
  const worker = scene(t).start('throws.ts')
  t.same(await worker.ended, [1, null])
  t.match(worker.errors, /RangeError: no settings/)
})

t.test('a bad DRAMATIS_URL is told in a sentence', async (t) => {
  const { run } = scene(t)
  const worker = run(
    '--eval',
    'process.env.DRAMATIS_URL = "kafka:x"; await (await import("./lib/index.js")).runWorker()',
    '--input-type=module',
  )
  t.same(await worker.ended, [1, null])
  t.match(worker.log.at(-1), { msg: /Expected DRAMATIS_URL to begin with .* got "kafka:x"/ })
})
