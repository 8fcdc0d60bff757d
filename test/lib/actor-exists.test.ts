/** Two functions of one name: which of them is refused, when, and with which error. */
import t from 'tap'
import { type Actor, ActorExists, actor } from '../../lib/index.js'
import { captureLog } from '../support/log.js'
import { evaluate, file, serve, setNodeEnv, source, type Work } from '../support/reevaluated-modules.js'

captureLog()

t.beforeEach(() => {
  delete process.env.NODE_ENV
})

t.test('another function of the same name is refused, and the error names both places', async (t) => {
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

t.test('two actors of one name in one module are refused', async (t) => {
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

t.test('in production no actor is replaced', async (t) => {
  setNodeEnv(t, 'production')
  const { worker } = serve(t)
  const name = file()
  await (await evaluate(name, source('produced', 'before'))).send()
  const after = await evaluate(name, source('produced', 'after'))
  await t.rejects(after.send(), ActorExists)
  await t.rejects(worker.start(), ActorExists)
})

t.test('one module in two bundles may send; a worker must know which one to run', async (t) => {
  setNodeEnv(t, 'production')
  const { broker, worker } = serve(t)
  const one = await evaluate(file(), source('bundled', 'same'))
  const two = await evaluate(file(), source('bundled', 'same'))
  await one.send()
  await two.send()
  t.match(await broker.stats('default'), { ready: 2 })
  await t.rejects(worker.start(), ActorExists)
})
