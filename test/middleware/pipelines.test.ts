import t from 'tap'
import { stage, until } from '../support/memory.js'

for (const target of ['a text', 5, [], { queue_name: 'default' }, { nonsense: true }]) {
  t.test(
    `a pipe_target that is not a message (${JSON.stringify(target)}) dead-letters the step, with the reason`,
    async (t) => {
      const { actor, broker, work } = stage(t)
      const job = actor(() => 1, { actorName: 'job' })
      await work()
      await job.sendWithOptions({ options: { pipe_target: target } })
      await broker.join('default')
      t.match((await broker.deadLetters('default')).letters, [
        { reason: /^The next step of the pipeline is not a message: / },
      ])
    },
  )
}

t.test('a target of null counts as no target', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(() => 1, { actorName: 'job', storeResults: true })
  await work()
  t.equal(await (await job.sendWithOptions({ options: { pipe_target: null } })).result(), 1)
  t.match(await broker.stats('default'), { dead: 0 })
})

t.test('a target with an invalid queue name dead-letters the step', async (t) => {
  const { actor, broker, work } = stage(t)
  const job = actor(() => 1, { actorName: 'job' })
  await work()
  const next = { ...job.message().toWire(), queue_name: 'not a name' }
  await job.sendWithOptions({ options: { pipe_target: next } })
  await broker.join('default')
  t.match((await broker.deadLetters('default')).letters, [{ reason: /Expected a queue name/ }])
})

t.test('the next step waits for its own delay, and has its own id', async (t) => {
  const { actor, broker, work } = stage(t)
  const ran: unknown[] = []
  const job = actor(async (...args: unknown[]) => void ran.push(args), { actorName: 'job' })
  const next = job.messageWithOptions({ args: ['next'], options: { delay: 3_600_000 } })
  await work()
  await job.sendWithOptions({ args: ['first'], options: { pipe_target: next.toWire() } })
  await until(async () => (await broker.stats('default')).delayed === 1)
  t.same(ran, [['first']])
  await broker.advance('61m')
  t.same(ran, [['first'], ['next', null]])
})

t.test('a failure ends the pipeline; a successful retry continues it', async (t) => {
  const { actor, broker, work } = stage(t)
  let runs = 0
  const flaky = actor(
    async (fail: number) => {
      if (runs++ < fail) throw new Error('no')
      return 'went on'
    },
    { actorName: 'flaky', maxRetries: 1, minBackoff: 1, maxBackoff: 1 },
  )
  const ends: unknown[] = []
  const end = actor(async (result: unknown) => void ends.push(result), { actorName: 'end' })
  await work()
  const pipe_target = end.messageWithOptions({ args: [] as never }).toWire()
  await flaky.sendWithOptions({ args: [2], options: { pipe_target } })
  await broker.join('default', { timeout: '10s' })
  t.same(ends, [])
  runs = 0
  await flaky.sendWithOptions({ args: [1], options: { pipe_target } })
  await broker.join('default', { timeout: '10s' })
  t.same(ends, ['went on'])
})
