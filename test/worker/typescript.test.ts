/** Whether threads have to be told of tsx: only when the process was started with it. */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { typescriptLoaders } from '../../lib/worker/threads/typescript.js'

const tsx = fileURLToPath(new URL('../../node_modules/tsx/', import.meta.url))
const apis = ['cjs', 'esm'].map((kind) => pathToFileURL(join(realpathSync(tsx), `dist/${kind}/api/index.mjs`)).href)

function loaders(t: Test, execArgv: string[], options?: string): string[] {
  t.intercept(process, 'execArgv', { value: execArgv })
  const { NODE_OPTIONS: _, ...others } = process.env
  t.intercept(process, 'env', { value: options === undefined ? others : { ...others, NODE_OPTIONS: options } })
  return typescriptLoaders()
}

for (const [what, flags] of [
  ['--import=tsx', ['--import=tsx']],
  ['--import tsx', ['--enable-source-maps', '--import', 'tsx']],
  ['--import tsx/esm', ['--import', 'tsx/esm']],
  ['-r tsx/cjs', ['-r', 'tsx/cjs']],
  [
    "tsx' own command",
    ['--require', join(tsx, 'dist/preflight.cjs'), '--import', pathToFileURL(join(tsx, 'dist/loader.mjs')).href],
  ],
] as const) {
  t.test(`${what} is found`, async (t) => {
    t.same(loaders(t, [...flags]), apis)
  })
}

t.test('it is found in NODE_OPTIONS, where paths may stand in quotes', async (t) => {
  t.same(loaders(t, [], '--max-old-space-size=512 --import=tsx'), apis)
  const spaced = join(realpathSync(t.testdir()), 'with a space')
  symlinkSync(tsx, spaced)
  t.equal(loaders(t, [], `--import "${pathToFileURL(join(spaced, 'dist/loader.mjs')).href}"`).length, 2)
  t.equal(loaders(t, [], `--require "${join(spaced, 'dist/preflight.cjs')}"`).length, 2)
})

t.test('a folder, a file or a value that is called tsx is not tsx', async (t) => {
  const folder = realpathSync(t.testdir())
  for (const file of ['tsx/tracing.js', 'tsx.js', 'app/tsx/dist/loader.mjs', 'package.json']) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), file === 'package.json' ? '{ "name": "app" }' : '')
  }
  for (const flag of [
    `--require=${join(folder, 'tsx/tracing.js')}`,
    `--import=${pathToFileURL(join(folder, 'app/tsx/dist/loader.mjs')).href}`,
    `--import=${join(folder, 'tsx.js')}`,
    `--env-file=${join(folder, 'tsx/dist/.env')}`,
    '--conditions=tsx',
    '--title=tsx',
  ]) {
    t.same(loaders(t, [flag]), [], flag)
    t.same(loaders(t, [], flag), [], `${flag} in NODE_OPTIONS`)
  }
})
