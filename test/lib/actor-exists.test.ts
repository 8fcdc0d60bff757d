/** Two functions of one name: which of them is refused, when, and what is said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { type Actor, ActorExists, actor, setBroker, Worker } from '../../lib/index.js'
import { captureLog } from '../support/log.js'

type Work = Actor<[], string>

captureLog()
const folder = mkdtempSync(join(tmpdir(), 'dramatis-again-'))
const door = new URL('../../lib/index.ts', import.meta.url).href
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

t.test('another function of the same name is refused, and both places are named', async (t) => {
  const { worker } = serve(t)
  const one = await evaluate('one.mjs', source('clash', 'one'))
  const two = await evaluate('two.mjs', source('clash', 'two'))
  await one.send()
  const refusal = {
    name: 'ActorExists',
    message: /"clash" is already declared .* at \S*one\.mjs\S*:2:\d+, and again at \S*two\.mjs\S*:2:\d+;/,
  }
  await t.rejects(two.send(), refusal)
  await t.rejects(worker.start(), refusal)
})

t.test('two of one name in one module are refused', async (t) => {
  serve(t)
  const work = await evaluate(
    file(),
    `${source('pair', 'one')}work.twin = actor(function pair() { return 'two' }, { maxRetries: 1 })\n`,
  )
  await work.send()
  await t.rejects((work as unknown as { twin: Work }).twin.send(), ActorExists)
})

t.test('a function that is called twice and declares the same name is refused', async (t) => {
  const { broker } = serve(t)
  const declare = (result: string): Actor<[], string> => actor(() => result, { actorName: 'made' })
  await declare('one').send()
  await Promise.resolve()
  await t.rejects(declare('two').send(), ActorExists)
  t.throws(() => actor(() => 'three', { actorName: 'made', broker }), ActorExists)
})

t.test('in production nothing is replaced', async (t) => {
  as(t, 'production')
  const { worker } = serve(t)
  const name = file()
  await (await evaluate(name, source('produced', 'before'))).send()
  const after = await evaluate(name, source('produced', 'after'))
  await t.rejects(after.send(), ActorExists)
  await t.rejects(worker.start(), ActorExists)
})

t.test('one module in two bundles may send; a worker must know which one to run', async (t) => {
  as(t, 'production')
  const { broker, worker } = serve(t)
  const one = await evaluate(file(), source('bundled', 'same'))
  const two = await evaluate(file(), source('bundled', 'same'))
  await one.send()
  await two.send()
  t.match(await broker.stats('default'), { ready: 2 })
  await t.rejects(worker.start(), ActorExists)
})
