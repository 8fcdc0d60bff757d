/**
 * More than one copy of the package in a process, as in a monorepo, in a bundle, or after a deployment by symlink.
 * Needs `dist/` (npm run build).
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { version } from '../lib/version.js'
import { cleanEnv, run, start } from './package/shell.js'
import { until } from './support/memory.js'

const repository = fileURLToPath(new URL('..', import.meta.url))
const root = realpathSync(mkdtempSync(join(tmpdir(), 'dramatis-copies-')))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
t.setTimeout(120_000)

symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'))

/** A folder with a copy of the package in its `node_modules`, of this version or another. */
async function copy(name: string, asVersion = version): Promise<string> {
  const folder = join(root, name)
  const installed = join(folder, 'node_modules', 'dramatis')
  mkdirSync(installed, { recursive: true })
  cpSync(join(repository, 'dist'), join(installed, 'dist'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(installed, 'package.json'))
  await writeFile(join(installed, 'dist', 'lib', 'version.js'), `export const version = '${asVersion}'\n`)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  return folder
}

async function node(
  t: Test,
  folder: string,
  code: string,
  env = {},
): Promise<{ code: number; out: string; err: string }> {
  const file = join(folder, `${t.name.replaceAll(/\W+/g, '-')}.js`)
  await writeFile(file, code)
  return run(process.execPath, [file], { cwd: folder, env: { ...cleanEnv, ...env } })
}

t.test('the version in the code is that of the package', async (t) => {
  t.equal(version, JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).version)
})

t.test(
  'two copies share the broker, the actors, the current message, the options, the context and the log',
  async (t) => {
    const one = await copy('one')
    await copy('two')
    await writeFile(join(root, 'two', 'index.js'), `export * from 'dramatis'`)
    const { out, err } = await node(
      t,
      one,
      `
    import { AsyncLocalStorage } from 'node:async_hooks'
    import * as one from 'dramatis'
    import { MemoryBroker } from 'dramatis/memory'
    import * as two from '../two/index.js'

    const said = []
    one.setLogger({ debug() {}, info: (_, text) => said.push(text), warn() {}, error() {} })
    const broker = new MemoryBroker()
    one.setBroker(broker)
    const length = broker.middleware.length
    broker.use(new two.Retries({ maxRetries: 0 }), { before: two.Callbacks })
    const check = two.actor(async function check() { return one.current().message.messageId }, { storeResults: true })
    const user = new AsyncLocalStorage()
    one.contextValue('user', user)
    const seen = two.actor(async function seen() { return user.getStore() }, { storeResults: true })
    const worker = new two.Worker(two.getBroker(), { threads: 0 })
    await worker.start()
    const message = await check.send()
    const other = await broker.enqueue(new two.Message({ queueName: 'default', actorName: 'check', args: [] }))
    console.log(JSON.stringify({
      different: one.Message !== two.Message,
      broker: two.getBroker() === broker && broker instanceof two.Broker,
      message: message instanceof one.Message && other instanceof one.Message,
      current: (await message.result()) === message.messageId,
      plugins: broker.middleware.length === length && broker.middleware.some((plugin) => plugin instanceof two.Retries),
      context: (await (await user.run('ann', () => seen.send())).result()) === 'ann',
      log: said.length > 0 && two.getLogger() === one.getLogger(),
    }))
    await worker.stop()
    `,
    )
    t.same(
      JSON.parse(out || '{}'),
      { different: true, broker: true, message: true, current: true, plugins: true, context: true, log: true },
      err,
    )
    t.notOk(existsSync(join(one, 'dramatis.db')), 'no other broker was created')
  },
)

t.test('a copy of an incompatible version is refused, and the error names both', async (t) => {
  const old = await copy('old', '7.1.0')
  await copy('new', '8.0.0')
  await writeFile(join(root, 'new', 'index.js'), `export * from 'dramatis'`)
  const { code, err } = await node(t, old, `import 'dramatis'; import '../new/index.js'`)
  t.equal(code, 1)
  t.match(err, 'IncompatibleCopies: Two copies of dramatis in one process must be of compatible versions; got 7.1.0')
  for (const name of ['old', 'new'])
    t.match(err, join(root, name, 'node_modules', 'dramatis', 'dist', 'lib', 'registry.js'))

  await copy('newer', '7.2.0')
  await writeFile(join(root, 'newer', 'index.js'), `export * from 'dramatis'`)
  t.equal((await node(t, old, `import 'dramatis'; import '../newer/index.js'`)).code, 0, 'compatible versions share')
})

const actors = `
  import { actor } from 'dramatis'
  export const fall = actor(function fall() { process.exit(1) }, { maxRetries: 0 })
  export const work = actor(function work() { return import.meta.url }, { storeResults: true, maxRetries: 0 })
`

/** Two releases, the first of them current, and a worker that was started there; then the second one becomes current. */
async function deploy(t: Test, name: string, versions: [string, string]) {
  const current = join(root, `${name}-current`)
  const modules = JSON.stringify([join(current, 'worker.js')])
  for (const [index, asVersion] of versions.entries()) {
    const release = await copy(`${name}-${index + 1}`, asVersion)
    await writeFile(join(release, 'actors.js'), actors)
    await writeFile(
      join(release, 'worker.js'),
      `import { runWorker } from 'dramatis'; import './actors.js'; await runWorker({ threads: 1, modules: ${modules} })`,
    )
  }
  symlinkSync(join(root, `${name}-1`), current)
  const env = { DRAMATIS_URL: `sqlite:${join(root, `${name}.db`)}` }
  const worker = start(t, process.execPath, [join(current, 'worker.js')], { cwd: root, env: { ...cleanEnv, ...env } })
  await until(() => worker.log().includes('Worker started'))
  rmSync(current)
  symlinkSync(join(root, `${name}-2`), current)
  const send = async (code: string): Promise<string> => {
    const imports = `import { getBroker } from 'dramatis'; import { fall, work } from './actors.js'`
    const { out, err } = await node(t, join(root, `${name}-2`), `${imports}; ${code}; await getBroker().close()`, env)
    return out + err
  }
  return { worker, send }
}

t.test('after a deployment by symlink a new thread runs with the copy that it finds', async (t) => {
  const { worker, send } = await deploy(t, 'fits', [version, version])
  await send('await fall.send()')
  await until(() => worker.log().includes('is replaced'))
  t.match(await send("console.log(await (await work.send()).result({ timeout: '20s' }))"), 'fits-2/actors.js')
  t.equal(worker.log().split('Worker started').length, 2, 'no worker started inside the thread')
  t.equal(await worker.stop(), 0)
})

t.test('if the copies are incompatible, the worker stops with the reason, and waiting messages are kept', async (t) => {
  const { worker, send } = await deploy(t, 'differs', ['7.1.0', '8.0.0'])
  await send('await fall.send()')
  t.equal(await worker.ended, 1)
  t.match(worker.log(), 'must be of compatible versions; got 7.1.0')
  t.notMatch(worker.log(), 'ActorNotFound')
  const left = "await work.send(); console.log(JSON.stringify(await getBroker().stats('default')))"
  t.match(JSON.parse(await send(left)), { ready: 1, inFlight: 0 })
})
