/** Threads that are lost and don't show whose fault that was: the guilty one pays, and nobody else. */
import t from 'tap'
import * as actors from '../support/actors/isolation.js'
import { began, broker, log, waitOptions, work } from '../support/isolation-worker.js'
import { failure, until } from '../support/memory.js'

t.test('process.exit() after an await is told from its context; neighbours with no retries run again', async (t) => {
  await work(t)
  const beside = await actors.patient.sendMany([[400], [400]])
  await until(() => began('patient') === 2)
  const culprit = await actors.exitLater.send()
  await t.rejects(culprit.result(waitOptions), failure('WorkerThreadLost', /code 3/))
  for (const message of beside) t.type(await message.result(waitOptions), 'number')
  t.equal(began('culprit'), 1)
  t.match(await broker.stats('default'), { dead: 1 })
})

t.test('what listens to a signal and throws is told from its context, too', async (t) => {
  await work(t)
  const beside = await actors.patient.sendMany([[700], [700]])
  await until(() => began('patient') === 2)
  const culprit = await actors.listenBadly.send()
  await t.rejects(culprit.result(waitOptions), failure('TimeLimitExceeded'))
  for (const message of beside) t.type(await message.result(waitOptions), 'number')
  t.equal(began('culprit'), 1)
  t.notOk(log.some(({ text }) => /It is unknown which message caused/.test(text)))
})

for (const [name, send, options, reason] of [
  ['a process.exit() that belongs to nobody', () => actors.exitElsewhere.send(), {}, /code 4/],
  [
    'memory that runs out',
    () => actors.hoardLater.send(),
    { resourceLimits: { maxOldGenerationSizeMb: 48 } },
    /out of memory/,
  ],
] as const) {
  t.test(`${name} is paid for by the one that does it alone, too`, async (t) => {
    await work(t, options)
    const beside = await actors.patient.sendMany([[700], [700]])
    await until(() => began('patient') === 2)
    const culprit = await send()
    await t.rejects(culprit.result(waitOptions), failure('WorkerThreadLost', reason))
    for (const message of beside) t.type(await message.result(waitOptions), 'number')
    t.equal(began('culprit'), 2)
    t.equal(began('patient'), 4)
    t.match(await broker.stats('default'), { dead: 1 })
  })
}

t.test('suspects take nobody’s place: others run meanwhile', async (t) => {
  await work(t, { concurrency: 2 })
  await actors.patient.send(50_000)
  await until(() => began('patient') === 1)
  const culprit = await actors.exitElsewhere.send()
  await t.rejects(culprit.result(waitOptions), failure('WorkerThreadLost'), 'it does not wait for the other suspect')
  const others = await actors.innocent.sendMany(Array.from({ length: 10 }, () => [20]))
  for (const message of others) await message.result(waitOptions)
  t.equal(began('patient'), 2, 'the other suspect still runs')
})

t.test('a worker that stops gives suspects back uncounted', async (t) => {
  const worker = await work(t)
  await actors.patient.sendMany([[20_000], [20_000], [20_000]])
  await until(() => began('patient') === 3)
  await actors.exitElsewhere.send()
  await until(() => log.some(({ text }) => /It is unknown which message caused/.test(text)))
  await worker.stop({ timeout: 0 })
  t.match(await broker.stats('default'), { inFlight: 0, dead: 0, ready: 4 })
  const deliveries = await broker.consume('default').take(4)
  t.same(
    deliveries.map(({ deliveryCount }) => deliveryCount),
    [1, 1, 1, 1],
  )
})
