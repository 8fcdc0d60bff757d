/**
 * The package as users get it: packed, installed into an empty folder, and used there. Needs `dist/` (npm run build).
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { testBundles } from './package/bundles.js'
import { testCopies } from './package/copies.js'
import { testEntries } from './package/entries.js'
import * as shell from './package/shell.js'

const repository = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'dramatis-package-'))
const installed = join(folder, 'node_modules', 'dramatis')
const compiler = join(repository, 'node_modules', 'typescript', 'bin', 'tsc')

t.jobs = 1
t.setTimeout(300_000)
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

t.before(async () => {
  cpSync(join(repository, 'test', 'package', 'project'), folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module", "main": "worker.js" }\n')
  // Scripts are left out: `prepare` would rebuild dist/ under the tests that use it.
  const packed = await shell.run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: repository,
  })
  const [{ filename }] = JSON.parse(packed.out) as [{ filename: string }]
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  const install = await shell.run('npm', ['install', ...flags, `./${filename}`], { cwd: folder })
  if (install.code !== 0) throw new Error(`npm install failed:\n${install.err}`)
  // A package that a user would also install; here it is built already.
  link('tsx')
  link('@types/node')
  if (!process.getBuiltinModule?.('node:sqlite')) link('libsql')
})

t.test('the texts that modules read from source are embedded in the modules: there are no other files', async (t) => {
  const packed = readdirSync(join(installed, 'dist'), { recursive: true, withFileTypes: true })
  t.same(
    packed.filter((entry) => entry.isFile() && !/\.(js|d\.ts)$/.test(entry.name)).map(({ name }) => name),
    [],
  )
  const files = readdirSync(join(repository, 'brokers'), { recursive: true, encoding: 'utf8' })
  const texts = files.filter((file) => /\.(sql|lua)$/.test(file))
  t.ok(texts.some((file) => file.endsWith('.sql')) && texts.some((file) => file.endsWith('.lua')))
  const modules = ['redis/script-texts.js', 'sqlite/sql-texts.js'].map((module) =>
    join(installed, 'dist/brokers', module),
  )
  const all = await Promise.all(modules.map((module) => import(pathToFileURL(module).href)))
  const embedded = new Set(all.flatMap(({ texts }) => Object.values(texts)))
  for (const file of texts) t.ok(embedded.has(readFileSync(join(repository, 'brokers', file), 'utf8')), file)
})

t.test('every subpath of the exports exists, with types, and can be imported', async (t) => {
  const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    exports: Record<string, { types: string; default: string } | string>
  }
  const names: string[] = []
  for (const [subpath, target] of Object.entries(exports)) {
    for (const file of typeof target === 'string' ? [target] : Object.values(target)) {
      t.ok(existsSync(join(installed, file)), `${subpath}: ${file}`)
    }
    if (typeof target !== 'string') names.push(`dramatis${subpath.slice(1)}`)
  }
  const modules = names.map((name, index) => `import * as m${index} from '${name}'`)
  const counts = `console.log(JSON.stringify([${names.map((_, index) => `Object.keys(m${index}).length`)}]))`
  await writeFile(join(folder, 'imports.ts'), `${modules.join('\n')}\n${counts}\n`)
  const { out, err } = await shell.run('node', ['--input-type=module', '--eval', `${modules.join(';')};${counts}`], {
    cwd: folder,
  })
  t.equal(err, '')
  for (const [index, count] of (JSON.parse(out) as number[]).entries()) t.ok(count > 0, `${names[index]} has exports`)
})

t.test('a strict TypeScript project compiles against the declarations', async (t) => {
  const { code, out, err } = await shell.run('node', [compiler, '-p', folder, '--pretty', 'false'], { cwd: folder })
  t.equal(out, '')
  t.equal(code, 0, 'exit code', { err })
})

t.test('a worker and a producer are two processes over the default SQLite file', async (t) => {
  const worker = shell.start(t, 'node', ['worker.js'], { cwd: folder })
  t.same(await produce(t), [{ sum: 3, onThread: true }, 'Hello, world!'])
  t.ok(existsSync(join(folder, 'dramatis.db')))
  t.equal(await worker.stop(), 0, 'stopped gracefully', { log: worker.log() })
})

t.test('npx dramatis runs the actors of a module', async (t) => {
  const worker = shell.start(t, 'npx', ['dramatis', './actors.js', '--threads', '1', '--queues', 'default,greetings'], {
    cwd: folder,
  })
  t.same(await produce(t), [{ sum: 3, onThread: true }, 'Hello, world!'])
  await worker.interrupt()
  t.match(worker.log(), '"Worker stopped"')
})

testEntries(folder)
testBundles(folder)
testCopies(folder)

t.test('a TypeScript entry runs under tsx, threads included', async (t) => {
  await serviceWorks(t, ['--import=tsx', 'service.ts'])
})

const strips = (process.features as { typescript?: unknown }).typescript === 'strip'
const skip = strips ? false : `Node ${process.version} does not strip types by itself`

t.test("a TypeScript entry runs under Node's own type stripping, threads included", { skip }, async (t) => {
  await serviceWorks(t, ['service.ts'])
})

async function serviceWorks(t: Test, command: string[]): Promise<void> {
  const worker = shell.start(t, 'node', [...command, 'work'], { cwd: folder })
  const { out, err } = await shell.run('node', [...command, 'send'], { cwd: folder })
  t.same(parse(out), { sum: 3, onThread: true }, 'the result arrived', { err, log: worker.log() })
  t.equal(await worker.stop(), 0, 'stopped gracefully', { log: worker.log() })
}

async function produce(t: Test): Promise<unknown> {
  const { code, out, err } = await shell.run('node', ['producer.js'], { cwd: folder })
  t.equal(code, 0, 'exit code', { err })
  return parse(out)
}

function parse(out: string): unknown {
  try {
    return JSON.parse(out)
  } catch {
    return out
  }
}

function link(name: string): void {
  const target = join(repository, 'node_modules', name)
  const path = join(folder, 'node_modules', name)
  if (existsSync(path)) return
  mkdirSync(join(path, '..'), { recursive: true })
  symlinkSync(relative(join(path, '..'), target), path, 'dir')
}
