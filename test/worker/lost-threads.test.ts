/** What becomes of messages whose thread is lost, or isn't there yet. */
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { Interrupt } from '../../lib/errors.js'
import type { Message } from '../../lib/message.js'
import { interrupt } from '../../lib/worker/interrupt.js'
import { Worker } from '../../lib/worker/worker.js'
import type { WorkerOptions } from '../../lib/worker/worker-options.js'
import * as actors from '../support/actors/lost-threads.js'
import { captureLog } from '../support/log.js'
import { failure, gate, until } from '../support/memory.js'

const broker = new MemoryBroker()
setBroker(broker)
const log = captureLog()
t.teardown(() => broker.close())

/** Holds messages of `brief` just before they run, when a test asks for it. */
let gateOfBrief: Promise<void> | undefined
let waitingMessage: Message | undefined
let booted = 0
broker.use({
  name: 'Doorkeeper',
  afterWorkerThreadBoot: () => void booted++,
  async beforeProcessMessage(message) {
    if (message.actorName !== 'brief' || !gateOfBrief) return
    waitingMessage = message
    await gateOfBrief
  },
})

const modules = [new URL('../support/actors/lost-threads.ts', import.meta.url)]
const waitOptions = { timeout: '20s' } as const

async function work(t: Test, options: WorkerOptions = {}): Promise<Worker> {
  log.length = 0
  const worker = new Worker(broker, { threads: 1, concurrency: 4, modules, ...options })
  t.teardown(async () => {
    gateOfBrief = undefined
    waitingMessage = undefined
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  return worker
}

const lost = (): boolean => log.some(({ text }) => /thread was lost/.test(text))

/** A message of `brief` that is about to run when the only thread is lost. */
async function startBeforeLoss(): Promise<{ message: Message; letIn: () => void }> {
  const { opened, open } = gate()
  gateOfBrief = opened
  const message = await actors.brief.send()
  await until(() => waitingMessage !== undefined)
  await actors.exit.send()
  await until(lost)
  return { message, letIn: open }
}

t.test("the time in which a message waits for a lost thread's successor doesn't count against its limit", async (t) => {
  await work(t)
  const { message, letIn } = await startBeforeLoss()
  letIn()
  t.equal(await message.result(waitOptions), 'done')
})

t.test('a message that waits for a thread can be interrupted: it ends at once and never runs', async (t) => {
  await work(t)
  const { message, letIn } = await startBeforeLoss()
  letIn()
  await new Promise(setImmediate)
  t.ok(interrupt(waitingMessage as Message, new Interrupt('not wanted any more')))
  const before = booted
  await t.rejects(message.result(waitOptions), failure('Interrupt', 'not wanted any more'))
  t.equal(booted, before, 'before there is a thread that could run it')
})

t.test('what an ended message left behind costs its neighbours their thread, but no attempt', async (t) => {
  await work(t)
  const neighbour = await actors.nap.send(400)
  const culprit = await actors.leaveBehind.send()
  t.equal(await culprit.result(waitOptions), 'ended')
  await until(lost)
  t.type(await neighbour.result(waitOptions), 'number')
  t.match(await broker.stats('default'), { dead: 0 })
})

t.test('a worker that stops while a lost thread is being replaced stops in good order', async (t) => {
  const worker = await work(t)
  worker.onFatal = (error) => t.fail(`nothing fatal: ${error.message}`)
  await actors.exit.send()
  await until(lost)
  const message = await actors.nap.send(1)
  await worker.stop()
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0 })
  t.ok(message)
  t.same(
    log.filter(({ level, text }) => level === 'error' && !/thread was lost|Failed permanently/.test(text)),
    [],
  )
})

t.test('threads that die of themselves, one after the other, are replaced more and more slowly', async (t) => {
  process.env.SICKLY_THREADS = 'yes'
  t.teardown(() => delete process.env.SICKLY_THREADS)
  await work(t)
  const lostCount = (): number => log.filter(({ text }) => /thread was lost/.test(text)).length
  await until(() => lostCount() === 3)
  delete process.env.SICKLY_THREADS
  t.type(await (await actors.nap.send(1)).result(waitOptions), 'number', 'and the first that lives works')
  const pauses = log.filter(({ text }) => /starts after a pause/.test(text)).map(({ fields }) => fields.delay as number)
  t.equal(pauses.length, lostCount() - 1, 'the first is replaced at once')
  t.ok((pauses[0] as number) <= (pauses[1] as number), `${pauses}`)
})

t.test('whatever an actor throws on a thread, it is a failure like any other', async (t) => {
  await work(t)
  for (const [how, said] of [
    ['bare', /no Error was thrown: \[Object: null prototype\] \{\}/],
    ['symbol', /no Error was thrown: Symbol\(odd\)/],
    ['undefined', /no Error was thrown: undefined/],
  ] as const) {
    await t.rejects((await actors.throwOdd.send(how)).result(waitOptions), failure('Error', said))
  }
  t.notOk(lost(), 'and its thread lives')
})
