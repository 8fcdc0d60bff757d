/**
 * Every block of code in README.md, CONTRIBUTING.md and docs/ is run. Instructions for that are in HTML comments, which
 * the rendered page doesn't show. CONTRIBUTING.md describes the convention, and docs/page-reader.ts parses it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Block, isProgram, readDocument } from './docs/page-reader.js'
import { PageRunner } from './docs/page-runner.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
)
const documents = pages.map((page) => readDocument(page, readFileSync(join(root, page), 'utf8')))
const blocks = documents.flatMap((document) => document.blocks)
/** A page with errors, which the tests must detect. */
const faulty = readDocument(
  'faulty.md',
  [
    "```ts\nconst one: number = 'two'\nthrow one\n```",
    "```js\nconsole.log('one')\n```\n<!-- prints -->\n```text\ntwo\n```",
  ].join('\n'),
)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

t.test('every block is of a kind that is run or checked', async (t) => {
  for (const { language, where, notRun, isOutput } of blocks) {
    if (notRun) t.comment(`${where} is not run: ${notRun}`)
    else if (language === 'text') t.ok(isOutput, `${where}: a text block is what a program prints`)
    else t.match(language, /^(ts|js|sh|json|python|mermaid)$/, `${where}: ${language || 'a fence without a language'}`)
  }
  for (const { problems } of documents) t.same(problems, [])
})

t.test('every program compiles, runs, exits with 0 and prints what the page shows', { timeout: 300_000 }, async (t) => {
  const pageRunner = new PageRunner(root, [...blocks, ...faulty.blocks].filter(isProgram))
  t.teardown(() => pageRunner.close())
  await pageRunner.open()
  for (const { block, complaints } of await pageRunner.compile()) {
    if (block.document !== faulty.page) t.equal(complaints, '', `${block.where} compiles`)
    else if (block.code.includes('number')) t.match(complaints, /not assignable/, 'a type error is detected')
  }
  await pageRunner.runAll()
  for (const { block, skipped, problem } of pageRunner.ends) {
    if (block.document === faulty.page) t.match(problem, /^It (printed|ended)/, `${block.where} is detected`)
    else if (skipped) t.pass(`${block.where} runs`, { skip: skipped })
    else t.equal(problem, undefined, `${block.where} runs`)
  }
})

t.test('shell commands exist', async (t) => {
  const help = execFileSync(
    'env',
    ['-u', 'NODE_OPTIONS', process.execPath, '--import=tsx', join(root, 'lib/cli/dramatis.ts'), '--help'],
    {
      encoding: 'utf8',
      cwd: root,
    },
  )
  for (const block of blocks.filter(({ language, notRun }) => language === 'sh' && !notRun)) {
    for (const line of block.code.split('\n').flatMap((one) => one.split('&&'))) {
      const command = line.replace(/\s+#.*$/, '').trim()
      if (command !== '') t.equal(problemWith(command, block, help), undefined, `${block.where}: ${command}`)
    }
  }
  const told = read('docs/workers.md')
  for (const [flag] of help.matchAll(/--[a-z-]+/g)) {
    if (flag !== '--help' && flag !== '--version') t.ok(told.includes(flag), `docs/workers.md describes ${flag}`)
  }
})

function problemWith(command: string, { document }: Block, help: string): string | undefined {
  const words = command.split(/\s+/)
  while (/^[A-Z_]+=/.test(words[0] ?? '')) words.shift()
  const [program, ...rest] = words
  const isHere = (name: string | undefined): boolean =>
    blocks.some((block) => block.document === document && block.file === name?.replace(/^\.\//, ''))
  switch (program) {
    case 'npm': {
      const [verb, ...names] = rest
      if (verb === 'install' || verb === 'ci') return names.every(isPackage) ? undefined : `unknown package in ${names}`
      if (verb === 'init' || verb === 'pkg') return undefined
      const script = verb === 'run' ? names[0] : verb
      return manifest.scripts[script as string] ? undefined : `package.json has no script "${script}"`
    }
    case 'npx': {
      const [name, ...args] = rest
      if (name === 'tsx' && args[0] !== 'node_modules/.bin/dramatis')
        return isHere(args[0]) ? undefined : `no block of this page is the file ${args[0]}`
      if (name !== 'dramatis' && name !== 'tsx') return `npx ${name} is unknown to this test`
      const missing = args.filter(
        (arg) => arg.startsWith('-') && !help.includes(`${arg} `) && !help.includes(`${arg},`),
      )
      return missing.length > 0 ? `the CLI has no ${missing}` : undefined
    }
    case 'node': {
      const file = rest.find((arg) => !arg.startsWith('-'))
      return isHere(file) ? undefined : `no block of this page is the file ${file}`
    }
    default:
      return 'unknown to this test'
  }
}

function isPackage(name: string): boolean {
  return name.startsWith('-') || name === manifest.name || existsSync(join(root, 'node_modules', name))
}

t.test('JSON and Python blocks can be read', async (t) => {
  for (const { language, code, where } of blocks) {
    if (language === 'json') t.doesNotThrow(() => JSON.parse(code), where)
    if (language !== 'python') continue
    try {
      execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: code, stdio: 'pipe' })
      t.pass(where)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') t.pass(where, { skip: 'there is no python3 here' })
      else t.fail(`${where}: ${error}`)
    }
  }
})

t.test('files and folders named on a page or in a diagram exist', async (t) => {
  for (const page of ['CONTRIBUTING.md', 'docs/architecture.md', 'brokers/README.md']) {
    const paths = read(page).match(/\b(lib|middleware|brokers|test|bench|docs|scripts)\/[\w/.-]*\w/g) ?? []
    t.ok(paths.length > 3, `${page} names some`)
    for (const path of new Set(paths)) t.ok(existsSync(join(root, path)), `${page}: ${path}`)
  }
})

t.test('every link leads somewhere', async (t) => {
  for (const { page, links } of documents) {
    for (const { target, line } of links) {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      if (!t.ok(existsSync(join(root, file)), `${page}:${line} leads to ${target}`) || !anchor) continue
      const headings = documents.find((other) => other.page === file)?.anchors ?? []
      t.ok(headings.includes(anchor), `${page}:${line} leads to the heading #${anchor}`)
    }
  }
})

// — The lists are complete —————————————————————————————————————————————————————————————————————————————

t.test('docs/brokers.md lists every scheme of DRAMATIS_URL', async (t) => {
  const schemes = [...read('lib/index.ts').matchAll(/^ {4}case '(\w+)':/gm)].map(([, name]) => name)
  const told = [...read('docs/brokers.md').matchAll(/^\| `(\w+):[^|]* \|/gm)].map(([, name]) => name)
  t.same(told.toSorted(), schemes.filter((name) => name !== 'rediss').toSorted())
})

t.test('docs/actors.md lists every option, and no other', async (t) => {
  const own = [...read('lib/actor-options.ts').matchAll(/^ {2}(actorName|queueName|broker)\?:/gm)].map(
    ([, name]) => name,
  )
  const sources = [
    'lib/options.ts',
    'lib/validation/argument-rules.ts',
    ...readdirSync(join(root, 'middleware')).map((name) => `middleware/${name}`),
  ]
  const declared = sources.flatMap((file) =>
    [...read(file).matchAll(/^declareOptions\(\{([\s\S]*?)\}\)$/gm)].flatMap(([, list]) =>
      [...(list as string).matchAll(/(?:^ {2}| )(\w+): \{|^ {2}(\w+): \{/gm)].map(([, one, other]) => one ?? other),
    ),
  )
  const told = rows('docs/actors.md', 'Options')
  t.same(told.toSorted(), [...new Set([...own, ...declared])].toSorted())
})

t.test('docs/middleware.md lists every hook, with its parameters and their types', async (t) => {
  const hooks = read('lib/middleware.ts').match(/^export interface Hooks \{([\s\S]*?)^\}/m)?.[1] as string
  const types = new Map<string, string>()
  const signatures = [...hooks.matchAll(/^ {2}(\w+)\(([\s\S]*?)\): (?:Awaitable|Record|StoragePart)/gm)].map(
    ([, name, list]) => {
      const parameters = [...(list as string).matchAll(/(\w+): ((?:[^,<(]|<[^>]*>|\(\))+)/g)]
      for (const [, parameter, type] of parameters) {
        // The more specific of two: a delay that may be absent.
        if (!types.get(parameter as string)?.includes('undefined'))
          types.set(parameter as string, (type as string).trim())
      }
      return `${name}(${parameters.map(([, parameter]) => parameter).join(', ')})`
    },
  )
  const told = [...read('docs/middleware.md').matchAll(/^\| `(\w+\([^`]*\))` \|/gm)].map(([, signature]) => signature)
  t.same(told.toSorted(), signatures.toSorted())
  for (const [parameter, type] of types) {
    const row = new RegExp(`^\\| \`${parameter}\` \\| \`(.*?)\` \\|`, 'm').exec(read('docs/middleware.md'))
    t.equal(row?.[1]?.replace(' or ', ' | '), type, `the type of ${parameter}`)
  }
})

t.test('docs/retries-and-errors.md lists every error class', async (t) => {
  const sources = [
    'lib/dramatis-error.ts',
    'lib/errors.ts',
    'lib/broker-errors.ts',
    'lib/argument-errors.ts',
    'lib/result-errors.ts',
  ]
    .map(read)
    .join('\n')
  const names = [...sources.matchAll(/^export class (\w+)/gm)].map(([, name]) => name)
  t.same(rows('docs/retries-and-errors.md', 'Error classes').toSorted(), names.toSorted())
})

t.test('docs/workers.md lists every option of a worker', async (t) => {
  const list = read('lib/worker/worker-options.ts').match(/^const workerOptionNames = \[([\s\S]*?)\]/m)?.[1] as string
  const names = [...list.matchAll(/'(\w+)'/g)].map(([, name]) => name)
  t.same(rows('docs/workers.md', 'Options').toSorted(), names.toSorted())
})

/** The names in the first column of the tables under a heading. */
function rows(page: string, heading: string): string[] {
  const section =
    read(page)
      .split(/^#+ /m)
      .find((one) => one.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| (`[^|]+?) \|/gm)].flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`(\w+)`/g)].map(([, name]) => name as string),
  )
}
