/** When threads begin to run actors: not before the application in them is where the main thread's was. */
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Message } from '../../lib/message.js'
import { until } from '../support/memory.js'
import { type Scene, scene } from '../support/processes/child.js'

const waitOptions = { timeout: '30s' } as const

function all<R>(messages: readonly Message<R>[]): Promise<R[]> {
  return Promise.all(messages.map((message) => message.result(waitOptions)))
}

/** Sums that only the last import of the script can do. */
async function backlog({ actor }: Scene, size: number): Promise<Message<number>[]> {
  return actor<number>('add').sendMany(Array.from({ length: size }, (_, index) => [index, 1]))
}

async function allRight(t: Test, { broker }: Scene, sums: readonly Message<number>[], dead = 0): Promise<void> {
  t.same(
    await all(sums),
    sums.map((_, index) => index + 1),
  )
  await broker.join('default', waitOptions)
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead })
}

for (const script of ['unawaited.ts', 'unawaited.cjs']) {
  t.test(`a backlog meets an application that is started without an await (${script})`, async (t) => {
    const stage = scene(t)
    const sums = await backlog(stage, 200)
    const connected = await stage.actor<boolean>('isConnected').sendMany(Array.from({ length: 20 }, () => []))
    stage.start(script, { threads: 2 })
    t.same(new Set(await all(connected)), new Set([true]), 'no actor runs before')
    await allRight(t, stage, sums)
  })
}

t.test('a script that makes its worker itself serves the threads that import it', async (t) => {
  const stage = scene(t)
  stage.start('own-worker.ts', { threads: 2 })
  await allRight(t, stage, await backlog(stage, 20))
})

t.test('the same holds for the thread that replaces a lost one', async (t) => {
  const stage = scene(t)
  const worker = stage.start('unawaited.ts', { threads: 1, concurrency: 4 })
  const exits = await stage.actor('quit').sendMany([[], []])
  for (const exit of exits) await t.rejects(exit.result(waitOptions), { name: 'ResultFailure' })
  const sums = await backlog(stage, 200)
  await stage.actor('quit').send()
  const connected = await stage.actor<boolean>('isConnected').sendMany(Array.from({ length: 20 }, () => []))
  t.same(new Set(await all(connected)), new Set([true]))
  t.equal((await all(sums)).at(-1), 200)
  await until(async () => (await stage.broker.stats('default')).dead === 3, 'the three that end their thread')
  t.same(
    worker.log.filter(({ msg }) => /No actor named|doesn't have the actor/.test(msg)),
    [],
  )
})

t.test('a replacement whose script fails before it calls runWorker() is tried again', async (t) => {
  const stage = scene(t)
  const worker = stage.start('flaky-start.ts', { threads: 1 })
  await t.rejects((await stage.actor('quit').send()).result(waitOptions), { name: 'ResultFailure' })
  await worker.logged(/could not be replaced; trying again/)
  await allRight(t, stage, await backlog(stage, 20), 1)
})

t.test('so is that of a thread on which a suspect shall run alone', async (t) => {
  const stage = scene(t)
  process.env.FAILING_STARTS = '4' // Those of the replacement, and of a thread for each of the two.
  t.teardown(() => delete process.env.FAILING_STARTS)
  const worker = stage.start('flaky-start.ts', { threads: 1 })
  await allRight(t, stage, await backlog(stage, 2))
  const innocent = await stage.actor('brief').send()
  const culprit = await stage.actor('quitElsewhere').send()
  await t.rejects(culprit.result(waitOptions), { name: 'ResultFailure' })
  t.equal(await innocent.result(waitOptions), 'done')
  await worker.logged(/An isolation thread could not be started; trying again/)
  await allRight(t, stage, await backlog(stage, 20), 1)
})

t.test('modules that are named wait for runWorker(), too, where it was called from one of them', async (t) => {
  const stage = scene(t)
  const sums = await backlog(stage, 20)
  const connected = await stage.actor<boolean>('isConnected').sendMany(Array.from({ length: 20 }, () => []))
  const modules = [fileURLToPath(new URL('../support/processes/unawaited.ts', import.meta.url))]
  stage.start('unawaited.ts', { threads: 1, modules })
  t.same(new Set(await all(connected)), new Set([true]))
  await allRight(t, stage, sums)
})

t.test('a script that calls runWorker() on the main thread only is ready when it has nothing left to do', async (t) => {
  const stage = scene(t)
  const sums = await backlog(stage, 20)
  const worker = stage.start('main-only.ts', { threads: 1 })
  await allRight(t, stage, sums)
  t.same(
    worker.log.filter(({ level }) => level >= 40),
    [],
  )
})

t.test("an actor that a thread doesn't have is no fault of its messages: they wait, and are not counted", async (t) => {
  const stage = scene(t)
  const late = await stage.actor<string>('late').sendMany(Array.from({ length: 20 }, () => []))
  await stage.actor('mainOnly').sendMany(Array.from({ length: 20 }, () => []))
  const early = await stage.actor<string>('early').send()
  const worker = stage.start('late-actors.ts', { threads: 2 })
  t.equal(await early.result(waitOptions), 'early')
  t.same(new Set(await all(late)), new Set(['late']))
  const said = (actorName: string): number =>
    worker.log.filter((line) => /doesn't have the actor/.test(line.msg) && line.actorName === actorName).length
  t.ok(said('mainOnly') >= 1 && said('mainOnly') <= 2, 'said once for each thread')
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null])
  const { ready, delayed, dead } = await stage.broker.stats('default')
  t.same([ready + delayed, dead], [20, 0])
})
