/** How a worker starts and stops when something comes in between. */
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { Worker } from '../../lib/worker/worker.js'
import { gate, stage, until } from '../support/memory.js'

const fail = (): never => {
  throw new Error('out of order')
}

t.test('stopped while it starts, it takes nothing, and both calls resolve', async (t) => {
  const { actor, broker } = stage(t)
  const { opened, open } = gate()
  broker.use({ beforeWorkerBoot: () => opened })
  const job = actor(async () => {}, { actorName: 'job' })
  await job.send()
  const worker = new Worker(broker, { threads: 0 })
  const starting = worker.start()
  const stopping = worker.stop()
  open()
  await Promise.all([starting, stopping])
  t.same(worker.queues, [])
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0 })
})

t.test('stopped twice, it stops once; stopped before it started, it never does', async (t) => {
  const { actor, broker, work } = stage(t)
  actor(async () => {}, { actorName: 'job' })
  const worker = await work()
  t.equal(worker.stop(), worker.stop())
  const never = new Worker(broker, { threads: 0 })
  await never.stop()
  await t.rejects(never.start(), { message: /can be started once/ })
})

t.test("a worker that can't start stops, and leaves the messages alone", async (t) => {
  const { actor, broker } = stage(t)
  broker.use({ name: 'Guard', essential: true, afterWorkerBoot: fail })
  const ran: string[] = []
  const job = actor(async (name: string) => void ran.push(name), { actorName: 'job' })
  const worker = new Worker(broker, { threads: 0 })
  await t.rejects(worker.start(), { name: 'HookFailed', message: /afterWorkerBoot of Guard failed: out of order/ })
  await job.send('late')
  await new Promise(setImmediate)
  t.same(ran, [])
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0 })
})

t.test('no hook, however essential, keeps it from stopping', async (t) => {
  const { actor, broker, work } = stage(t)
  const reached: string[] = []
  broker.use({
    name: 'Guard',
    essential: true,
    beforeWorkerShutdown: fail,
    beforeConsumerThreadShutdown: fail,
    afterInterruptMessage: fail,
    afterWorkerShutdown: fail,
  })
  broker.use({ afterWorkerShutdown: () => void reached.push('afterWorkerShutdown') })
  const endless = actor(() => new Promise(() => {}), { actorName: 'endless' })
  const worker = await work({ concurrency: 1 })
  await endless.send()
  await until(() => [...worker.messages].length === 1)
  await worker.stop({ timeout: 0 })
  t.same(reached, ['afterWorkerShutdown'])
  t.match(await broker.stats('default'), { ready: 1, inFlight: 0 }, 'what ran went back')
})

t.test('a message whose turn comes when the worker has stopped is not run but given back', async (t) => {
  const { actor, broker, work } = stage(t)
  const { opened, open } = gate()
  let waiting = false
  broker.use({
    beforeProcessMessage() {
      waiting = true
      return opened
    },
  })
  let runs = 0
  const job = actor(async () => void runs++, { actorName: 'job' })
  const worker = await work()
  await job.send()
  await until(() => waiting)
  await worker.stop({ timeout: 0 })
  open()
  await until(async () => (await broker.stats('default')).ready === 1, 'the message to be back')
  t.equal(runs, 0)
})

/** A broker whose consumers do what a test wants. */
class OddBroker extends MemoryBroker {
  taken = 0
  closing: (() => Promise<void>) | undefined

  protected override makeConsumer(queueName: string): ReturnType<MemoryBroker['makeConsumer']> {
    const consumer = super.makeConsumer(queueName)
    const take = consumer.take.bind(consumer)
    const close = consumer.close.bind(consumer)
    consumer.take = async (limit) => {
      const deliveries = await take(limit)
      this.taken += deliveries.length
      return deliveries
    }
    consumer.close = async () => {
      await close()
      await this.closing?.()
    }
    return consumer
  }
}

t.test('while a hook takes its time, a stopping worker takes one more batch at most', async (t) => {
  const odd = new OddBroker()
  const { actor, broker, work } = stage(t, odd)
  const { opened, open } = gate()
  broker.use({ beforeWorkerShutdown: () => opened })
  const job = actor(async () => {}, { actorName: 'job', priority: 1 })
  const worker = await work()
  const stopping = worker.stop()
  await job.sendMany(Array.from({ length: 3 }, () => []))
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  open()
  await stopping
  t.ok(odd.taken <= 3, `took ${odd.taken}`)
  t.match(await broker.stats('default'), { ready: 3, inFlight: 0 })
})

t.test("a consumer that doesn't close cleanly is logged; the worker stops all the same", async (t) => {
  const odd = new OddBroker()
  const { actor, log, work } = stage(t, odd)
  actor(async () => {}, { actorName: 'job' })
  actor(async () => {}, { actorName: 'other', queueName: 'other' })
  const worker = await work()
  odd.closing = async () => fail()
  await worker.stop()
  t.equal(log.filter(({ text }) => /consumer did not close cleanly/.test(text)).length, 2)
  t.equal(log.at(-1)?.text, 'Worker stopped')
})

t.test('a shutdownTimeout longer than the longest timer of Node lets what runs end', async (t) => {
  const { actor, broker, work } = stage(t)
  const { opened, open } = gate()
  const job = actor(() => opened, { actorName: 'job' })
  await job.send()
  const worker = await work({ shutdownTimeout: '365d' })
  await until(() => [...worker.messages].length === 1)
  const stopped = worker.stop()
  // What is over after no time at all would be over by now.
  await new Promise((resolve) => setTimeout(resolve, 1200))
  open()
  await stopped
  t.match(await broker.stats('default'), { ready: 0, inFlight: 0, dead: 0 })
})
