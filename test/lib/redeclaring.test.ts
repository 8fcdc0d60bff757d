/** Modules that are evaluated again, and brokers that are made again, as development servers and test runners do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { type Actor, actor, remoteActor, setBroker, Worker } from '../../lib/index.js'
import { captureLog } from '../support/log.js'

type Work = Actor<[], string>

captureLog()
const folder = mkdtempSync(join(tmpdir(), 'dramatis-again-'))
const door = new URL('../../lib/index.ts', import.meta.url).href
const require = createRequire(import.meta.url)
let versions = 0
let files = 0
t.teardown(() => rmSync(folder, { recursive: true }))

/** A module that declares an actor. */
function source(name: string, returns: string): string {
  return `export const work = actor(function ${name}() { return '${returns}' }, { storeResults: true, maxRetries: 0 })\n`
}

/** Evaluates a file as an ES module: anew, as a server that reloads modules does. */
async function evaluate(file: string, code: string): Promise<Work> {
  const path = join(folder, file)
  writeFileSync(path, `import { actor } from '${door}'\n${code}`)
  return ((await import(`${pathToFileURL(path)}?t=${++versions}`)) as { work: Work }).work
}

const file = (): string => `module-${++files}.mjs`

/** Makes a broker the default one, and a worker on it. */
function serve(t: Test): { broker: MemoryBroker; worker: Worker } {
  const broker = new MemoryBroker()
  setBroker(broker)
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(async () => {
    await worker.stop()
    await broker.close()
  })
  return { broker, worker }
}

function as(t: Test, environment: string): void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = environment
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  })
}

t.beforeEach(() => {
  delete process.env.NODE_ENV
})

t.test('a module that is evaluated again replaces its actors, in a worker that runs, too', async (t) => {
  const { broker, worker } = serve(t)
  const name = file()
  const before = await evaluate(name, source('reloaded', 'before'))
  await worker.start()
  t.equal(await (await before.send()).result(), 'before')

  const after = await evaluate(name, `\n\n${source('reloaded', 'after')}`)
  t.equal(broker.actors.get('reloaded'), after)
  t.equal(await (await after.send()).result(), 'after')
  t.equal(await (await before.send()).result(), 'after', 'what another module still holds goes on sending')
  t.equal(broker.actors.get('reloaded'), after)
})

t.test('one that was not used yet is replaced as well, and used for the first time it sends', async (t) => {
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
  as(t, 'development')
  const { broker, worker } = serve(t)
  const one = await evaluate(file(), source('paged', 'same'))
  const two = await evaluate(file(), source('paged', 'same'))
  await one.send()
  t.equal(await (await two.send()).result({ timeout: 0 }).catch(() => 'waiting'), 'waiting')
  await worker.start()
  t.equal(broker.actors.get('paged'), two)
  await broker.join('default')
})

t.test('actors that were given no broker go with the default one: a broker a test', async (t) => {
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

t.test('an actor that was given a broker stays with it', async (t) => {
  const own = new MemoryBroker()
  const pinned = actor(() => {}, { actorName: 'pinned', broker: own })
  const { broker } = serve(t)
  await pinned.send()
  t.match(await own.stats('default'), { ready: 1 })
  t.notOk(broker.actors.has('pinned'))
  await own.close()
})

t.test('a worker on a broker without actors says where they are', async (t) => {
  serve(t)
  const other = new MemoryBroker()
  const worker = new Worker(other, { threads: 0 })
  await t.rejects(worker.start(), {
    message:
      /^No actors are declared on this broker\. The actors that were declared \(\w+ and \d+ more\) belong to another broker \(memory:\), the default one\. Call setBroker\(\)/,
  })
  await other.close()
})
