/**
 * A stop has an end: `shutdownTimeout` and 4 seconds later, whatever hangs. The bounds here leave room for a machine that
 * is slow, and are far from the minute and a half that it took when nothing bounded it.
 */
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { RedisBroker } from '../../brokers/redis/index.js'
import { loadDriver } from '../../brokers/sqlite/driver/driver.js'
import { remoteActor } from '../../lib/actor.js'
import type { Broker } from '../../lib/broker.js'
import { stopGrace } from '../../lib/worker/shutdown.js'
import { Worker } from '../../lib/worker/worker.js'
import { stage, until } from '../support/memory.js'
import { Child, scene } from '../support/processes/child.js'
import { freePort, RedisServer, withRedis } from '../support/redis-server.js'

const shutdownTimeout = 300
const slack = 5000
const script = (name: string): string => fileURLToPath(new URL(`../support/processes/${name}`, import.meta.url))

/** Sends SIGTERM, and checks that it ends in good order and in time. */
async function endsInTime(t: Test, worker: Child, what: string): Promise<void> {
  const asked = performance.now()
  worker.kill('SIGTERM')
  t.same(await worker.ended, [0, null], what)
  const took = performance.now() - asked
  t.ok(took < shutdownTimeout + stopGrace + slack, `${what}: ${Math.round(took)} ms`)
}

t.test('with its defaults a stop is over within 29 s', async (t) => {
  const broker = new MemoryBroker()
  t.teardown(() => broker.close())
  t.ok(new Worker(broker).shutdownTimeout + stopGrace <= 29_000)
})

t.test('a worker whose SQLite file is locked ends in time, idle or busy, inline or on threads', async (t) => {
  const cases = (
    [
      ['idle', 0],
      ['busy', 0],
      ['busy', 1],
    ] as const
  ).map(async ([what, threads]) => {
    const { actor, broker, start } = scene(t)
    const worker = start('main.ts', { threads, shutdownTimeout })
    await worker.logged(/Worker started/)
    if (what === 'busy') {
      await actor('brief').send()
      await worker.said('brief began')
    }
    const other = loadDriver().open(broker.path)
    t.teardown(() => other.close())
    other.exec('BEGIN EXCLUSIVE')
    await endsInTime(t, worker, `${what}, threads: ${threads}`)
    other.exec('ROLLBACK')
    if (what === 'idle') return
    const left = await worker.logged(/could not be settled before the worker stopped/)
    t.equal(left.count, 1)
    const [again] = await broker.consume('default').take(1)
    t.match(again, { queueName: 'default' }, 'it is delivered again')
  })
  await Promise.all(cases)
})

await withRedis(async () => {
  t.test('a worker whose Redis is gone, or paused, ends in time, idle or busy', async (t) => {
    const cases = (['gone', 'paused'] as const).map(async (how) => {
      const server = new RedisServer(await freePort(), [])
      await server.start()
      const [, pid] = /^process_id:(\d+)/m.exec(await server.client().info('server')) ?? []
      t.teardown(async () => {
        if (how === 'paused') process.kill(Number(pid), 'SIGCONT')
        await server.end()
      })
      const options = { threads: 0, shutdownTimeout }
      const start = (): Child =>
        new Child(t, [script('main.ts')], { DRAMATIS_URL: server.url, WORKER_OPTIONS: JSON.stringify(options) })
      const workers = [start(), start()]
      await Promise.all(workers.map((worker) => worker.logged(/Worker started/)))
      const broker: Broker = new RedisBroker({ url: server.url })
      await remoteActor<unknown[], string>('brief', { broker, queueName: 'default' }).send()
      await until(() => workers.some(({ output }) => output.includes('brief began')), 'brief began')
      await broker.close()
      if (how === 'gone') await server.stop()
      else process.kill(Number(pid), 'SIGSTOP')
      const said = ({ output }: Child): string => (output.includes('brief began') ? 'busy' : 'idle')
      await Promise.all(workers.map((worker) => endsInTime(t, worker, `${said(worker)}, Redis is ${how}`)))
    })
    await Promise.all(cases)
  })
})

t.test('a worker ends in time though its hooks and its broker hang, inline or on threads', async (t) => {
  const cases = [0, 1].map(async (threads) => {
    const env = { WORKER_OPTIONS: JSON.stringify({ threads, shutdownTimeout }) }
    const worker = new Child(t, [script('hangs-at-the-end.ts')], env)
    await worker.logged(/Worker started/)
    await endsInTime(t, worker, `threads: ${threads}`)
    const hooks = worker.log.filter(({ msg }) => /takes too long; the worker stops without waiting/.test(msg))
    const names = ['beforeWorkerShutdown', 'beforeConsumerThreadShutdown', 'afterWorkerShutdown']
    if (threads > 0) names.splice(2, 0, 'beforeWorkerThreadShutdown')
    t.same(
      hooks.map(({ hook }) => hook),
      names,
    )
    t.ok(worker.log.some(({ msg }) => msg === 'Worker stopped'))
  })
  await Promise.all(cases)
})

t.test('stop() of a worker in a service resolves though a hook hangs; what it held goes back', async (t) => {
  const { actor, broker, work, log } = stage(t)
  broker.use({ name: 'Hanging', beforeWorkerShutdown: () => new Promise(() => {}) })
  const job = actor(() => new Promise(() => {}), { actorName: 'job' })
  await job.sendMany([[], [], []])
  const worker = await work({ concurrency: 1, prefetch: 3, shutdownTimeout: 50 })
  await until(() => [...worker.messages].length === 1)
  await worker.stop()
  t.match(await broker.stats('default'), { ready: 3, inFlight: 0 })
  t.ok(log.some(({ text }) => text.startsWith('beforeWorkerShutdown of a plugin takes too long')))
})

t.test('close() takes no longer than it is given', async (t) => {
  class HangingBroker extends MemoryBroker {
    protected override closeStore(): Promise<void> {
      return new Promise(() => {})
    }
  }
  const broker = new HangingBroker()
  await broker.close({ timeout: 20 })
  t.ok(broker.closed)
})
