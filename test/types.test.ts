/**
 * The public types: `test/types/*.ts` compile, and every type error in them states what was expected.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { run } from './package/shell.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'test', 'types')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

t.test('the type tests compile', { timeout: 60_000 }, async (t) => {
  t.equal(await compile(t, { extends: '../../../tsconfig.json', include: ['../*.ts'] }), '')
})

function folderOf(t: Test): string {
  const project = mkdtempSync(join(folder, '.compile-'))
  t.teardown(() => rmSync(project, { recursive: true }))
  return project
}

/** Compiles a project in a folder next to the type tests; returns the errors in files whose names match. */
async function compile(t: Test, config: object, files = /./, project = folderOf(t)): Promise<string> {
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
  const { out } = await run(process.execPath, [compiler, '-p', project, '--noEmit', '--pretty', 'false'], { cwd: root })
  return out
    .split(/\n(?=\S)/)
    .filter((part) => files.test(part))
    .join('\n')
    .trim()
}

t.test('optional properties may be undefined under exactOptionalPropertyTypes', { timeout: 60_000 }, async (t) => {
  const exact = { extends: '../../../tsconfig.json', compilerOptions: { exactOptionalPropertyTypes: true } }
  t.equal(await compile(t, { ...exact, include: ['../undefined.ts'] }, /^test\/types\//), '')
})

const imports = "import { actor } from '../../../lib/index.js'\nimport { z } from 'zod'"

/** Functions that can't be actors, each with the compiler's error. */
const refusals: readonly (readonly [code: string, says: string])[] = [
  ['actor((when: Date) => {})', "args[0] is a Date: JSON can't carry it; send date.toISOString()."],
  ['actor((n: number, user: { born?: Date }) => {})', "args[1].born is a Date: JSON can't carry it"],
  ['actor((id: bigint) => {})', "args[0] is a bigint: JSON can't carry it; send it as a string."],
  ['actor((ids: (string | bigint)[]) => {})', "args[0][] is a bigint: JSON can't carry it"],
  ['actor((map: ReadonlyMap<string, number>) => {})', "args[0] is a Map: JSON can't carry it; send [...map]."],
  ['actor((set: Set<string>) => {})', "args[0] is a Set: JSON can't carry it; send [...set]."],
  ['actor((data: Buffer) => {})', "args[0] is binary: JSON can't carry it; send base64."],
  ['actor((done: () => void) => {})', "args[0] is a function: JSON can't carry it; send data, not code."],
  ['actor((key: symbol) => {})', "args[0] is a symbol: JSON can't carry it; send a string."],
  ['actor((url: RegExp) => {})', "args[0] is a RegExp: JSON can't carry it; send its source."],
  ['actor((later: Promise<number>) => {})', "args[0] is a promise: JSON can't carry it; await it first."],
  ['class Money { add() {} }\nactor((sum: Money) => {})', "args[0].add is a function: JSON can't carry it"],
  ['actor(() => new Date(), { storeResults: true })', "result is a Date: JSON can't carry it"],
  ['actor(async () => ({ at: [1n] }), { storeResults: true })', "result.at[] is a bigint: JSON can't carry it"],
  ['actor((when: Date) => {}, { schema: z.date() })', "args[0] is a Date: JSON can't carry it"],
  [
    'actor((n: number) => new Date(n), { schema: z.number(), storeResults: true })',
    "result is a Date: JSON can't carry it",
  ],
  ['actor(function* () { yield 1 }, { schema: [] })', 'A generator function runs nothing when it is called'],
  ['actor(function* () { yield 1 })', 'A generator function runs nothing when it is called: write an async function.'],
  ['actor(async function* () { yield 1 })', 'A generator function runs nothing when it is called'],
  ['actor(class { run() {} })', "A class can't be called: give a function."],
]

t.test(
  'values that JSON can not represent, and functions that do nothing, are refused',
  { timeout: 60_000 },
  async (t) => {
    const lines = (
      await compileEach(
        t,
        refusals.map(([code]) => code),
      )
    ).map((text) => text.split('\n').at(-1))
    for (const [index, [code, says]] of refusals.entries()) {
      t.match(lines[index], /^ {2}Type '.*' is not assignable to type '?"/, code)
      t.ok(lines[index]?.includes(`"${says}`), `${code}: ${says}`, { found: lines[index] })
    }
  },
)

/** Compiles each piece of code as a separate file, and returns its errors. */
async function compileEach(t: Test, codes: readonly string[]): Promise<string[]> {
  const project = folderOf(t)
  for (const [index, code] of codes.entries()) {
    writeFileSync(join(project, `file-${index}-.ts`), `${imports}\n${code}\n`)
  }
  const unused = { noUnusedLocals: false, noUnusedParameters: false }
  const out = await compile(
    t,
    { extends: '../../../tsconfig.json', compilerOptions: unused, include: ['*.ts'] },
    /./,
    project,
  )
  const said = codes.map(() => '')
  for (const part of out.split(/\n(?=\S)/)) {
    const index = Number(/file-(\d+)-\.ts/.exec(part)?.[1])
    said[index] = (said[index] ?? '') + part
  }
  return said
}

t.test('every @ts-expect-error states what is expected', async (t) => {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n')
    for (const [index, line] of lines.entries()) {
      if (!line.includes('@ts-expect-error')) continue
      t.match(line, /\/\/ @ts-expect-error should \w+ /, `${name}:${index + 1}`)
    }
  }
})
