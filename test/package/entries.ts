/** The ways to start a worker in a project with the package installed: with each, threads find their imports. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../support/memory.js'
import * as shell from './shell.js'

/** A separate database, and the folder of a project. */
export interface ProjectEnvironment {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

let databases = 0

export function environmentOf(folder: string, cwd = folder): ProjectEnvironment {
  return { cwd, env: { ...shell.cleanEnv, DRAMATIS_URL: `sqlite:${join(folder, `queue-${++databases}.db`)}` } }
}

/** Sends to the actor `add` of a module, and returns the result. */
export async function send(t: Test, { cwd, env }: ProjectEnvironment, module: string): Promise<unknown> {
  const program = `
    const { add } = await import(${JSON.stringify(module)})
    const { getBroker } = await import('dramatis')
    const messages = await add.sendMany(Array.from({ length: 20 }, (_, index) => [index, 1]))
    const results = await Promise.all(messages.map((message) => message.result({ timeout: '30s' })))
    console.log(JSON.stringify([results.every(({ sum }, index) => sum === index + 1), results[0].onThread]))
    await getBroker().close()`
  const { out, err } = await shell.run('node', ['--input-type=module', '--eval', program], { cwd, env })
  t.match(out, /^\[/, 'the results came back', { err })
  return JSON.parse(out || 'null')
}

/** A worker runs the messages sent to it, on threads, and stops gracefully. */
export async function works(t: Test, at: ProjectEnvironment, command: string[], module: string): Promise<void> {
  const worker = shell.start(t, 'node', command, at)
  t.same(await send(t, at, module), [true, true], 'it was done on threads', { log: worker.log() })
  t.equal(await worker.stop(), 0, 'stopped gracefully', { log: worker.log() })
  t.notMatch(worker.log(), /"level":[45]0/, 'and nothing was amiss')
}

const { require_module: requires } = process.features as { require_module?: boolean }
const noRequire = requires ? false : `Node ${process.version} requires no ES modules`

export function testEntries(folder: string): void {
  for (const entry of ['.', 'worker'] as const) {
    t.test(`node ${entry}`, async (t) => {
      await works(t, environmentOf(folder), [entry], './actors.js')
    })
  }

  t.test('main() that nobody awaits: messages that wait are done once the application is ready', async (t) => {
    const at = environmentOf(folder)
    const sent = send(t, at, './actors.js')
    const worker = shell.start(t, 'node', ['unawaited/main.js'], at)
    t.same(await sent, [true, true])
    t.equal(await worker.stop(), 0, 'stopped gracefully', { log: worker.log() })
    t.notMatch(worker.log(), /dead|ActorNotFound|"level":[45]0/)
  })

  t.test('a project in CommonJS', { skip: noRequire }, async (t) => {
    const at = environmentOf(folder, join(folder, 'commonjs'))
    await works(t, at, ['.'], './actors.js')
  })

  t.test('a project in CommonJS whose worker is TypeScript, under tsx', async (t) => {
    const at = environmentOf(folder, join(folder, 'commonjs'))
    const tsx = ['--import=tsx', 'typed.ts']
    const worker = shell.start(t, 'node', tsx, at)
    const program = `const { remoteActor, getBroker } = await import('dramatis')
      console.log(JSON.stringify(await (await remoteActor('add').send(1, 2)).result({ timeout: '30s' })))
      await getBroker().close()`
    const { out, err } = await shell.run('node', ['--input-type=module', '--eval', program], at)
    t.equal(out, '{"sum":3,"onThread":true}\n', 'it was done on a thread', { err, log: worker.log() })
    t.equal(await worker.stop(), 0, 'stopped gracefully', { log: worker.log() })
  })

  t.test('a service that listens once its worker is started does so once', async (t) => {
    const at = environmentOf(folder)
    const service = shell.start(t, 'node', ['embedded/server.js', 'early'], at)
    await until(() => /listening on \d+/.test(service.log()), 'the service to listen')
    const [, port] = /listening on (\d+)/.exec(service.log()) as unknown as [string, string]
    const response = await fetch(`http://127.0.0.1:${port}`)
    t.same(await response.json(), { sum: 3, onThread: true })
    t.equal(service.log().match(/listening on/g)?.length, 1)
    t.equal(await service.stop(), 0, 'stopped gracefully', { log: service.log() })
  })

  t.test('a service that listens before is told what modules is for; with them it works', async (t) => {
    const at = environmentOf(folder)
    const failed = await shell.run('node', ['embedded/server.js', 'late'], at)
    t.equal(failed.code, 1)
    t.match(
      failed.err,
      /ModuleLoadError: .*server\.js could not be loaded: .* runs the script of this process again, and the script calls listen/,
    )
    t.match(failed.err, "Name the modules that declare the actors, as in { modules: ['./actors.js'] }")
    const service = shell.start(t, 'node', ['embedded/server.js', 'named'], at)
    t.same(await send(t, at, './embedded/actors.js'), [true, true])
    t.equal(service.log().match(/listening on/g)?.length, 1)
    t.equal(await service.stop(), 0, 'stopped gracefully', { log: service.log() })
  })

  t.test('an ES module in a package that is none: it is said what to do', async (t) => {
    const at = environmentOf(folder, join(folder, 'fresh'))
    mkdirSync(at.cwd)
    writeFileSync(join(at.cwd, 'package.json'), '{ "type": "commonjs" }')
    copyFileSync(join(folder, 'actors.js'), join(at.cwd, 'actors.js'))
    const { code, err } = await shell.run('npx', ['dramatis', './actors.js', '--threads', '1'], at)
    t.equal(code, 1)
    t.match(
      err,
      /fresh\/package\.json says \\"type\\": \\"commonjs\\", so actors\.js is read as CommonJS\. Run npm pkg set type=module/,
    )
  })
}
