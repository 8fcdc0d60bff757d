/**
 * The types that users see: `test/types/*.ts` compile as they stand, every refusal in them says what was expected.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from './package/shell.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'test', 'types')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

t.test('what the types infer and refuse is what the type tests say', { timeout: 60_000 }, async (t) => {
  const project = mkdtempSync(join(folder, '.compile-'))
  t.teardown(() => rmSync(project, { recursive: true }))
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.json', include: ['../*.ts'] }),
  )
  const { code, out } = await run(process.execPath, [compiler, '-p', project, '--noEmit', '--pretty', 'false'], {
    cwd: root,
  })
  t.equal(out, '')
  t.equal(code, 0, 'the compiler ran to its end')
})

t.test('every @ts-expect-error says what should be', async (t) => {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n')
    for (const [index, line] of lines.entries()) {
      if (!line.includes('@ts-expect-error')) continue
      t.match(line, /\/\/ @ts-expect-error should \w+ /, `${name}:${index + 1}`)
    }
  }
})
