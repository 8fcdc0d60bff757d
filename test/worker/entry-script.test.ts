/** What threads import when no `modules` are given: the script of the process, found as Node finds it. */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { InvalidOption } from '../../lib/errors.js'
import { entryScript } from '../../lib/worker/startup/entry-script.js'
import { readModules } from '../../lib/worker/worker-options.js'

/** A folder of files; a process that seems to have been started there. */
function project(t: Test, files: Record<string, string>): string {
  const folder = realpathSync(t.testdir())
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** The script of a process whose `process.argv[1]` is `path`. */
function started(t: Test, path: string | undefined, env: NodeJS.ProcessEnv = {}): string {
  t.intercept(process, 'argv', { value: [process.execPath, ...(path === undefined ? [] : [path])] })
  const { NODE_TEST_CONTEXT: _, pm_exec_path: __, ...others } = process.env
  t.intercept(process, 'env', { value: { ...others, ...env } })
  return entryScript()
}

function refused(t: Test, path: string | undefined, why: RegExp, env: NodeJS.ProcessEnv = {}): void {
  const error = thrownBy(() => started(t, path, env))
  t.type(error, InvalidOption)
  t.match(error, { message: why, option: 'modules' })
  t.match(error, { message: /Name the modules that declare the actors, as in \{ modules: \['\.\/actors\.js'\] \}/ })
}

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

t.test('a path without its extension, and a folder, are resolved as Node does', async (t) => {
  const folder = project(t, {
    'package.json': '{ "main": "lib/main.js" }',
    'lib/main.js': '',
    'worker.js': '',
    'other/index.js': '',
  })
  for (const [path, file] of [
    ['worker.js', 'worker.js'],
    ['worker', 'worker.js'],
    ['.', 'lib/main.js'],
    ['other', 'other/index.js'],
  ] as const) {
    t.equal(started(t, join(folder, path)), pathToFileURL(join(folder, file)).href, path)
  }
})

t.test('a link is followed once, so that every later thread loads the same files', async (t) => {
  const folder = project(t, { 'releases/1/worker.js': '', 'releases/2/worker.js': '' })
  symlinkSync(join(folder, 'releases/1'), join(folder, 'current'))
  const expected = pathToFileURL(join(folder, 'releases/1/worker.js')).href
  t.equal(started(t, join(folder, 'current/worker.js')), expected)
})

t.test('a process without a script is told what modules is for', async (t) => {
  refused(t, undefined, /^This process was started without a script\./)
  refused(t, '-', /without a script/)
  refused(t, '/nowhere/worker.js', /was started with \/nowhere\/worker\.js, but there is no such file/)
})

t.test("with --eval, the first argument isn't taken for a script", async (t) => {
  const folder = project(t, { 'data.js': '' })
  t.intercept(process as never, '_eval' as never, { value: '1' } as never)
  refused(t, join(folder, 'data.js'), /without a script/)
})

t.test('a tool that was installed is no script of the user', async (t) => {
  const folder = project(t, {
    'node_modules/vitest/package.json': '{ "name": "vitest" }',
    'node_modules/vitest/dist/package.json': '{ "type": "module" }',
    'node_modules/vitest/dist/workers/forks.js': '',
    'node_modules/.pnpm/jest@1/node_modules/@jest/core/package.json': '{ "name": "@jest/core" }',
    'node_modules/.pnpm/jest@1/node_modules/@jest/core/run.js': '',
  })
  refused(t, join(folder, 'node_modules/vitest/dist/workers/forks.js'), /was started by vitest \(.*forks\.js\)/)
  refused(t, join(folder, 'node_modules/.pnpm/jest@1/node_modules/@jest/core/run.js'), /was started by @jest\/core /)
})

t.test('an application that was installed is: it depends on dramatis', async (t) => {
  const folder = project(t, {
    'node_modules/app/package.json': '{ "name": "app", "dependencies": { "dramatis": "1" } }',
    'node_modules/app/worker.js': '',
  })
  const path = join(folder, 'node_modules/app/worker.js')
  t.equal(started(t, path), pathToFileURL(path).href)
})

t.test('under PM2 it is the script that PM2 was given', async (t) => {
  const folder = project(t, {
    'node_modules/pm2/package.json': '{ "name": "pm2" }',
    'node_modules/pm2/lib/ProcessContainer.js': '',
    'worker.js': '',
    'other.js': '',
  })
  const container = join(folder, 'node_modules/pm2/lib/ProcessContainer.js')
  const env = { pm_exec_path: join(folder, 'worker.js') }
  t.equal(started(t, container, env), pathToFileURL(join(folder, 'worker.js')).href)
  const other = join(folder, 'other.js')
  t.equal(started(t, other, env), pathToFileURL(other).href, 'but not in what that script starts')
  refused(t, container, /was started by pm2/)
})

t.test('a file of node --test is refused, since each thread would run its tests; what it starts is not', async (t) => {
  const folder = project(t, { 'jobs.test.js': '', 'worker.js': '' })
  const env = { NODE_TEST_CONTEXT: 'child-v8' }
  refused(t, join(folder, 'jobs.test.js'), /runs the tests in .*jobs\.test\.js/, env)
  const worker = join(folder, 'worker.js')
  t.equal(started(t, worker, env), pathToFileURL(worker).href)
})

t.test('modules that are given are taken as they are meant, whatever the script is', async (t) => {
  t.intercept(process, 'argv', { value: [process.execPath] })
  t.same(readModules(['./a.js', 'package', new URL('file:///b.js'), 'file:///c.js']), [
    pathToFileURL(join(process.cwd(), 'a.js')).href,
    'package',
    'file:///b.js',
    'file:///c.js',
  ])
  for (const wrong of ['./actors.js', [], {}])
    t.throws(() => readModules(wrong as never), { message: /array of at least one module, as in \['\.\/actors\.js'\]/ })
})

t.test('a package that only the application sees is found from the current folder', async (t) => {
  const folder = project(t, {
    'node_modules/@app/actors/package.json': '{ "name": "@app/actors", "type": "module", "exports": "./actors.js" }',
    'node_modules/@app/actors/actors.js': '',
  })
  const before = process.cwd()
  process.chdir(folder)
  t.teardown(() => process.chdir(before))
  t.same(readModules(['@app/actors', 'tap']), [
    pathToFileURL(join(folder, 'node_modules/@app/actors/actors.js')).href,
    'tap',
  ])
})
