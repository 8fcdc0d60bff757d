/** What a worker says when it stands still, or takes long to end, and nothing is wrong with it. */
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/lingering.js'
import { captureLog } from '../support/log.js'
import { gate, stage, until } from '../support/memory.js'

const waitOptions = { timeout: '20s' } as const

/** A worker whose own timers are moved by hand. */
function byHand(t: Test): (seconds: number) => Promise<void> {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  return async (seconds) => {
    for (let passed = 0; passed < seconds; passed += 5) {
      mock.timers.tick(5000)
      // It asks the broker what waits.
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    }
  }
}

t.test('when hanging messages take every slot and others wait, the log names them, ever more rarely', async (t) => {
  const pass = byHand(t)
  const { broker, log, actor, work } = stage(t)
  const { opened, open } = gate()
  const hang = actor(() => opened, { actorName: 'hang', timeLimit: null })
  const quick = actor(() => 'quick', { actorName: 'quick', queueName: 'other', storeResults: true })
  await work({ concurrency: 2 })
  await hang.sendMany([[], []])
  await until(async () => (await broker.stats('default')).inFlight === 2)
  const warnings = (): string[] => log.filter(({ text }) => /every slot is occupied/.test(text)).map(({ text }) => text)

  await pass(100)
  t.same(warnings(), [], 'as long as nobody waits for them, they may take their time')
  const waiting = await quick.send()
  await pass(100)
  t.match(warnings(), [
    /No message has finished for \d+ s: every slot is occupied, by "hang" \(2, for \d+ s\), and 1 more wait/,
  ])
  await pass(30)
  t.equal(warnings().length, 1)
  await pass(100)
  t.equal(warnings().length, 2)

  open()
  t.equal(await waiting.result(waitOptions), 'quick')
  await pass(300)
  t.equal(warnings().length, 2, 'and it is over when they end')
})

t.test('slots that are all taken, but by others each time, are no standstill', async (t) => {
  const pass = byHand(t)
  const { log, actor, work } = stage(t)
  let next = gate()
  const slow = actor(() => next.opened, { actorName: 'slow' })
  const worker = await work({ concurrency: 1 })
  await slow.sendMany(Array.from({ length: 20 }, () => []))
  for (let round = 0; round < 18; round++) {
    const [before] = [...worker.messages]
    await pass(10)
    const { open } = next
    next = gate()
    open()
    await until(() => [...worker.messages][0] !== before && [...worker.messages].length === 1)
  }
  t.notOk(log.some(({ text }) => /every slot is occupied/.test(text)))
  next.open()
})

const broker = new MemoryBroker()
setBroker(broker)
t.teardown(() => broker.close())

for (const [name, actor, said] of [
  ['something open', actors.leaveOpen, /didn't end by itself .* keeps its event loop alive \(.*TCPServerWrap/],
  ['nothing open', actors.leaveNothing, undefined],
] as const) {
  t.test(
    `a thread that is told to stop with ${name} ${said ? 'is ended, and told of' : 'ends by itself'}`,
    async (t) => {
      const log = captureLog()
      const modules = [new URL('../support/actors/lingering.ts', import.meta.url)]
      const worker = new Worker(broker, { threads: 1, modules })
      t.teardown(() => worker.stop({ timeout: 0 }))
      await worker.start()
      await (await actor.send()).result(waitOptions)
      await worker.stop()
      const told = log.filter(({ text }) => /didn't end by itself/.test(text))
      t.equal(told.length, said ? 1 : 0)
      if (said) t.match(told[0], { level: 'info', text: said })
      t.notOk(log.some(({ level }) => level === 'warn' || level === 'error'))
    },
  )
}
