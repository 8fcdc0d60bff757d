/** A worker that is bundled into one file, in a folder without any package: no dramatis, no Redis client. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { startRedis } from '../support/redis-server.js'
import * as shell from './shell.js'

const repository = fileURLToPath(new URL('../..', import.meta.url))

interface Bundle {
  readonly format: 'esm' | 'cjs'
  readonly minify?: boolean
  readonly splitting?: boolean
  /** @default true */
  readonly keepNames?: boolean
}

/** Without it, CommonJS code in a bundle of ES modules can't require Node's built-in modules. */
const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

type Build = (options: Record<string, unknown>) => Promise<unknown>

/** Bundles worker and producer into a separate folder, and returns its path. */
async function bundle(t: Test, folder: string, { format, minify, splitting, keepNames }: Bundle): Promise<string> {
  // esbuild is a dependency of tsx.
  const require = createRequire(createRequire(import.meta.url).resolve('tsx/package.json'))
  const { build } = (await import(pathToFileURL(require.resolve('esbuild')).href)) as { build: Build }
  const outdir = mkdtempSync(join(tmpdir(), 'dramatis-bundle-'))
  t.teardown(() => rmSync(outdir, { recursive: true, force: true }))
  const extension = format === 'esm' ? '.mjs' : '.cjs'
  await build({
    entryPoints: [format === 'esm' ? 'worker' : 'main', 'send'].map((name) => join(folder, `bundled/${name}.js`)),
    bundle: true,
    platform: 'node',
    keepNames: keepNames ?? true,
    format,
    minify: minify ?? false,
    splitting: splitting ?? false,
    outdir,
    outExtension: { '.js': extension },
    banner: format === 'esm' ? { js: banner } : {},
    logLevel: 'error',
  })
  // The only part that can't be bundled: a binary, if Node has no built-in SQLite.
  if (!process.getBuiltinModule?.('node:sqlite')) linkDriver(outdir)
  return outdir
}

function linkDriver(outdir: string): void {
  for (const name of ['libsql', '@libsql', '@neon-rs', 'detect-libc']) {
    const target = join(repository, 'node_modules', name)
    mkdirSync(join(outdir, 'node_modules'), { recursive: true })
    if (existsSync(target)) symlinkSync(target, join(outdir, 'node_modules', name), 'dir')
  }
}

async function works(t: Test, cwd: string, { format }: Bundle, url: string): Promise<void> {
  const env = { ...shell.cleanEnv, DRAMATIS_URL: url }
  const [worker, producer] = format === 'esm' ? ['worker.mjs', 'send.mjs'] : ['main.cjs', 'send.cjs']
  const running = shell.start(t, 'node', [worker as string], { cwd, env })
  const { out, err } = await shell.run('node', [producer as string], { cwd, env })
  t.equal(out, '[true,true]\n', 'it was done on threads', { err, log: running.log() })
  t.equal(await running.stop(), 0, 'stopped in good order', { log: running.log() })
  t.notMatch(running.log(), /"level":[45]0/, 'and nothing was amiss')
}

const kinds: readonly (readonly [string, Bundle])[] = [
  ['one file of ES modules', { format: 'esm' }],
  ['one minified file of CommonJS', { format: 'cjs', minify: true }],
  ['an entry and a chunk', { format: 'esm', minify: true, splitting: true }],
]

const hasRedis = process.env.REDIS_URL !== undefined || !spawnSync('redis-server', ['--version']).error
const noRedis = hasRedis || process.env.CI ? false : 'there is no redis-server here'

export function testBundles(folder: string): void {
  for (const [what, kind] of kinds) {
    t.test(`bundled into ${what}: messages run on threads, over SQLite`, async (t) => {
      const cwd = await bundle(t, folder, kind)
      await works(t, cwd, kind, 'sqlite:queue.db')
    })
  }

  t.test('bundled: messages run on threads, over Redis', { skip: noRedis }, async (t) => {
    const { url } = await startRedis([])
    for (const [, kind] of kinds.slice(0, 2)) await works(t, await bundle(t, folder, kind), kind, url)
  })

  for (const minify of [false, true]) {
    const what = minify ? 'a minifier took the names of functions away' : 'a bundler renamed functions'
    t.test(`where ${what}, no actor is declared under such a name`, async (t) => {
      const cwd = await bundle(t, folder, { format: 'esm', minify, keepNames: false })
      const { code, err } = await shell.run('node', ['worker.mjs'], { cwd })
      t.equal(code, 1)
      t.match(
        err,
        minify
          ? /renamed functions in this file, .* would be ""/
          : /renamed functions in this file, .* would be "add2"/,
      )
      t.match(err, /keepNames in esbuild, tsup and tsdown/)
    })
  }
}
