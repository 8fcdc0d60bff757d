/** Modules that are evaluated again, and brokers that are created again, as by development servers and test runners. */
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { actor, remoteActor, Worker } from '../../lib/index.js'
import { captureLog } from '../support/log.js'
import { evaluate, file, folder, serve, setNodeEnv, source, type Work } from '../support/reevaluated-modules.js'

captureLog()
const require = createRequire(import.meta.url)

t.beforeEach(() => {
  delete process.env.NODE_ENV
})

t.test('a module that is evaluated again replaces its actors, in a running worker, too', async (t) => {
  const { broker, worker } = serve(t)
  const name = file()
  const before = await evaluate(name, source('reloaded', 'before'))
  await worker.start()
  t.equal(await (await before.send()).result(), 'before')

  const after = await evaluate(name, `\n\n${source('reloaded', 'after')}`)
  t.equal(broker.actors.get('reloaded'), after)
  t.equal(await (await after.send()).result(), 'after')
  t.equal(await (await before.send()).result(), 'after', 'references in other modules can still send')
  t.equal(broker.actors.get('reloaded'), after)
})

t.test('an actor that was not used yet is replaced as well, and can send', async (t) => {
  const { broker, worker } = serve(t)
  const name = file()
  const before = await evaluate(name, source('unused', 'before'))
  const after = await evaluate(name, source('unused', 'after'))
  const message = await before.send()
  await worker.start()
  t.equal(broker.actors.get('unused'), after)
  t.equal(await message.result(), 'after')
})

t.test('a CommonJS module that is evaluated again replaces its actors', async (t) => {
  const { broker } = serve(t)
  const path = join(folder, 'again.cjs')
  const load = async (): Promise<Work> => {
    await Promise.resolve()
    delete require.cache[path]
    return (require(path) as (declare: typeof actor) => Work)(actor)
  }
  writeFileSync(path, `exports = module.exports = (actor) => actor(function again() {})`)
  await (await load()).send()
  const after = await load()
  await after.send()
  t.equal(broker.actors.get('again'), after)
})

t.test('under a development server the last bundle of a module wins', async (t) => {
  setNodeEnv(t, 'development')
  const { broker, worker } = serve(t)
  const one = await evaluate(file(), source('paged', 'same'))
  const two = await evaluate(file(), source('paged', 'same'))
  await one.send()
  t.equal(await (await two.send()).result({ timeout: 0 }).catch(() => 'waiting'), 'waiting')
  await worker.start()
  t.equal(broker.actors.get('paged'), two)
  await broker.join('default')
})

t.test('actors without a broker use the default one: a broker per test', async (t) => {
  const shared = actor((n: number) => n + 1, { actorName: 'shared', storeResults: true })
  const remote = remoteActor('elsewhere', { queueName: 'python' })
  for (const n of [1, 2]) {
    await t.test(`test ${n}`, async (t) => {
      const { broker, worker } = serve(t)
      const message = await shared.send(n)
      await remote.send()
      t.match(await broker.stats('default'), { ready: 1 })
      t.match(await broker.stats('python'), { ready: 1 })
      await worker.start()
      t.equal(await message.result(), n + 1)
    })
  }
})

t.test('an actor with a broker keeps it', async (t) => {
  const own = new MemoryBroker()
  const pinned = actor(() => {}, { actorName: 'pinned', broker: own })
  const { broker } = serve(t)
  await pinned.send()
  t.match(await own.stats('default'), { ready: 1 })
  t.notOk(broker.actors.has('pinned'))
  await own.close()
})

t.test('the error of a worker on a broker without actors states where the actors are', async (t) => {
  serve(t)
  const other = new MemoryBroker()
  const worker = new Worker(other, { threads: 0 })
  await t.rejects(worker.start(), {
    message:
      /^No actors are declared on this broker\. The actors that were declared \(\w+ and \d+ more\) belong to another broker \(memory:\), the default one\. Call setBroker\(\)/,
  })
  await other.close()
})
