/**
 * The rules of the house (DESIGN, "The house"), held by reading the sources: imports run one way,
 * `brokers/ → middleware/defaults.ts → middleware/ → lib/`, clients stay in their broker's folder, files stay small, and
 * every public name says what it is.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Files that are longer than the limit, each with the reason why it isn't split. */
const longForAReason: Readonly<Record<string, string>> = {
  'lib/broker.ts': 'all that brokers do alike and their users call, in one place to be read',
  'middleware/retries.ts': 'a third of it is the seven options it brings, with their documentation',
}

/** Where Node's own timers are used, each with the reason. */
const timersForAReason: Readonly<Record<string, string>> = {
  'lib/time.ts': 'it makes timers of them that may be longer',
  'lib/worker/threads/lost-threads.ts': 'a wait of a minute at most, which a signal ends',
}

/** Circles of files that import each other, types included, each with the reason why it stays. */
const circlesForAReason: readonly { readonly files: readonly string[]; readonly reason: string }[] = [
  {
    files: [
      'lib/actor-contract.ts',
      'lib/actor-options.ts',
      'lib/broker.ts',
      'lib/chain.ts',
      'lib/composition/arriving.ts',
      'lib/composition/end-outside.ts',
      'lib/flushing.ts',
      'lib/middleware.ts',
      'lib/state/conditional-sends.ts',
      'lib/worker-contract.ts',
    ],
    reason:
      'a broker takes plugins, whose hooks receive the broker, its actors and its workers; and it calls them for what it flushes (types only)',
  },
  {
    files: ['lib/composition/group-record.ts', 'lib/composition/place.ts'],
    reason:
      'what starts after a message has the records of its groups, and a record what starts after the group (types only)',
  },
  {
    files: ['lib/worker/threads/pool-thread.ts', 'lib/worker/threads/run.ts'],
    reason: 'a thread knows its runs, and a run its thread (a type only)',
  },
  {
    files: ['brokers/memory/dead-letters.ts', 'brokers/memory/queue.ts', 'brokers/memory/stored-message.ts'],
    reason: 'a queue holds messages, and a message knows its queue (types only)',
  },
]

/** External packages, and the only folders that may import them. */
const clients: Readonly<Record<string, string>> = {
  ioredis: 'brokers/redis/',
  'better-sqlite3': 'brokers/sqlite/',
  libsql: 'brokers/sqlite/',
  'node:sqlite': 'brokers/sqlite/',
  amqplib: 'brokers/rabbitmq/',
  pino: 'lib/logger.ts',
  'pino-pretty': 'lib/logger.ts',
  ms: 'lib/time.ts',
  commander: 'lib/cli/',
  'p-retry': '',
}

interface Import {
  readonly from: string
  /** The file, from the root, or the name of a package. */
  readonly to: string
  readonly typesOnly: boolean
}

const files = ['lib', 'middleware', 'brokers', 'testing'].flatMap((folder) => walk(join(root, folder)))
const sources = files.filter((file) => file.endsWith('.ts'))
const imports = sources.flatMap(importsOf)

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? walk(join(folder, entry.name))
      : [relative(root, join(folder, entry.name)).split(sep).join('/')],
  )
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function withoutComments(file: string): string {
  return read(file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}

/** Static imports, re-exports, `import()` of a literal and `require()` of one. `declare module` isn't an import. */
function importsOf(from: string): Import[] {
  const text = withoutComments(from)
  const found: Import[] = []
  for (const [, kind, clause, name] of text.matchAll(/^(import|export)\b([^'"]*?)\bfrom\s+['"]([^'"]+)['"]/gm)) {
    const typesOnly = /^\s*type\b/.test(clause as string) || namesTypesOnly(clause as string)
    found.push({
      from,
      to: locate(from, name as string),
      typesOnly: typesOnly && (kind === 'import' || kind === 'export'),
    })
  }
  for (const [, name] of text.matchAll(/^import\s+['"]([^'"]+)['"]/gm))
    found.push({ from, to: locate(from, name as string), typesOnly: false })
  for (const [, name] of text.matchAll(/\b(?:import|require|getBuiltinModule|load)\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ from, to: locate(from, name as string), typesOnly: false })
  }
  return found
}

/** `{ type A, type B }` */
function namesTypesOnly(clause: string): boolean {
  const names = clause.match(/^\s*\{([\s\S]*)\}\s*$/)?.[1]
  return names?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false
}

function locate(from: string, name: string): string {
  if (!name.startsWith('.')) return name
  return relative(root, resolve(root, dirname(from), name))
    .split(sep)
    .join('/')
    .replace(/\.js$/, '.ts')
}

const brokerOf = (file: string): string | undefined => file.match(/^brokers\/([^/]+)\//)?.[1]
const isMiddleware = (file: string): boolean => file.startsWith('middleware/')
const isBehaviour = (file: string): boolean => isMiddleware(file) && !/^middleware\/(index|defaults)\.ts$/.test(file)
/** Where one may look up: what the user enters by. */
const isDoor = (file: string): boolean => file === 'lib/index.ts'

function broken(rule: (one: Import) => boolean): string[] {
  return imports.filter(rule).map(({ from, to }) => `${from} → ${to}`)
}

t.test('there are sources, and their imports are found', async (t) => {
  t.ok(sources.length > 40)
  t.ok(imports.some(({ from, to, typesOnly }) => from === 'lib/actor.ts' && to === 'lib/broker.ts' && typesOnly))
  t.ok(imports.some(({ from, to, typesOnly }) => from === 'lib/time.ts' && to === 'ms' && !typesOnly))
})

t.test('every relative import leads to a file', async (t) => {
  t.same(
    broken(({ to }) => to.includes('/') && /^(lib|middleware|brokers|testing)\//.test(to) && !files.includes(to)),
    [],
  )
})

t.test('the core imports no middleware and no broker, types included, except in its entry points', async (t) => {
  t.same(
    broken(({ from, to }) => from.startsWith('lib/') && !isDoor(from) && /^(middleware|brokers)\//.test(to)),
    [],
  )
})

t.test('only the CLI imports an entry point, because it needs the default broker', async (t) => {
  t.same(
    broken(({ from, to }) => isDoor(to) && !from.startsWith('lib/cli/')),
    [],
  )
})

t.test('no middleware imports another, or a broker', async (t) => {
  t.same(
    broken(({ from, to }) => isBehaviour(from) && (isMiddleware(to) || to.startsWith('brokers/'))),
    [],
  )
})

t.test('the lists of the middleware import nothing but middleware and the core', async (t) => {
  t.same(
    broken(({ from, to }) => isMiddleware(from) && to.startsWith('brokers/')),
    [],
  )
})

t.test('no broker imports another', async (t) => {
  t.same(
    broken(
      ({ from, to }) => brokerOf(from) !== undefined && brokerOf(to) !== undefined && brokerOf(from) !== brokerOf(to),
    ),
    [],
  )
})

t.test('brokers import only the default chain of the middleware', async (t) => {
  t.same(
    broken(({ from, to }) => brokerOf(from) !== undefined && isMiddleware(to) && to !== 'middleware/defaults.ts'),
    [],
  )
})

t.test('nothing imports the aids for tests, which import the core, middleware and the memory broker', async (t) => {
  const isAid = (file: string): boolean => file.startsWith('testing/')
  t.same(
    broken(({ from, to }) => isAid(to) && !isAid(from)),
    [],
  )
  t.same(
    broken(({ from, to }) => isAid(from) && (isDoor(to) || (brokerOf(to) !== undefined && brokerOf(to) !== 'memory'))),
    [],
  )
})

t.test('files import each other in no circle, types included, but for those that have a reason', async (t) => {
  const found = circles().map((circle) => circle.toSorted())
  const allowed = circlesForAReason.map(({ files }) => files)
  for (const circle of found)
    t.ok(
      allowed.some((files) => `${files}` === `${circle}`),
      `${circle.join(' ↔ ')} has a reason`,
    )
  for (const files of allowed)
    t.ok(
      found.some((circle) => `${circle}` === `${files}`),
      `${files.join(' ↔ ')} is a circle`,
    )
})

t.test('no circle has an import of values in both directions', async (t) => {
  t.same(
    circles(({ typesOnly }) => !typesOnly),
    [],
  )
})

/** Sets of files that reach each other by their imports. */
function circles(counts: (one: Import) => boolean = () => true): string[][] {
  const reached = new Map(sources.map((file) => [file, reachedFrom(file, counts)]))
  const inCircles = sources.filter((file) => reached.get(file)?.has(file))
  const groups = new Map<string, string[]>()
  for (const file of inCircles) {
    const group = inCircles.filter((other) => reached.get(file)?.has(other) && reached.get(other)?.has(file))
    groups.set(group.join(), group)
  }
  return [...groups.values()]
}

/** Every file that a file imports, directly or through others. */
function reachedFrom(file: string, counts: (one: Import) => boolean): Set<string> {
  const reached = new Set<string>()
  const next = [file]
  for (let from = next.pop(); from !== undefined; from = next.pop()) {
    for (const one of imports) {
      if (one.from !== from || reached.has(one.to) || !counts(one)) continue
      reached.add(one.to)
      next.push(one.to)
    }
  }
  return reached
}

t.test('other folders import only the index.ts of a broker', async (t) => {
  t.same(
    broken(({ from, to }) => brokerOf(from) === undefined && brokerOf(to) !== undefined && !to.endsWith('/index.ts')),
    [],
  )
})

t.test('packages are imported only where they belong, and each is a dependency', async (t) => {
  const { dependencies, peerDependencies = {} } = JSON.parse(read('package.json'))
  for (const { from, to, typesOnly } of imports) {
    if (/^(lib|middleware|brokers|testing)\//.test(to)) continue
    const home = clients[to]
    if (home !== undefined) t.ok(from.startsWith(home), `${from} may import ${to}`)
    if (to.startsWith('node:') || to.startsWith('dramatis/') || typesOnly) continue
    t.ok(home !== undefined, `${to}, imported by ${from}, stands in the list of this test`)
    t.ok(dependencies[to] ?? peerDependencies[to], `${to}, imported by ${from}, is a dependency or an optional peer`)
  }
})

t.test("no timer is Node's own, which fires at once when it is longer than 24.8 days", async (t) => {
  for (const file of sources.filter((one) => !(one in timersForAReason))) {
    const bare =
      withoutComments(file).match(
        /(?<![.\w])set(Timeout|Interval)\((?!callback: )|AbortSignal\.timeout|timers\/promises/g,
      ) ?? []
    t.same(bare, [], `${file} takes its timers from a clock, or from lib/time.ts`)
  }
})

t.test('the index.ts of every broker is an export of the package, and every export has a source', async (t) => {
  const exported = Object.entries(JSON.parse(read('package.json')).exports as Record<string, { default?: string }>)
  for (const [name, { default: built }] of exported) {
    if (built) t.ok(files.includes(built.replace('./dist/', '').replace(/\.js$/, '.ts')), `${name} → ${built}`)
  }
  const doors = files.filter((file) => /^brokers\/[^/]+\/index\.ts$/.test(file))
  for (const door of doors)
    t.ok(
      exported.some(([name]) => name === `./${brokerOf(door)}`),
      `dramatis/${brokerOf(door)}`,
    )
})

t.test('every dependency is imported by some source', async (t) => {
  for (const name of Object.keys(JSON.parse(read('package.json')).dependencies)) {
    t.ok(
      imports.some(({ to }) => to === name),
      name,
    )
  }
})

t.test('no folder or file is a collection of unrelated code', async (t) => {
  t.same(
    files.filter((file) => /(^|\/)(utils?|commons?|helpers?|types|shared|misc)(\/|\.)/.test(file)),
    [],
  )
})

t.test('files are small, or listed here with a reason', async (t) => {
  for (const file of sources) {
    const lines = read(file).split('\n').length - 1
    const most = isMiddleware(file) ? 150 : 300
    if (file in longForAReason) t.ok(lines > most, `${file} is long (${lines} lines), as the list says`)
    else t.ok(lines <= most, `${file} has ${lines} lines, of ${most}`)
  }
})

t.test('every file has a doc comment, and no TODO without an owner', async (t) => {
  for (const file of sources) {
    const text = read(file)
    t.match(text, /\/\*\*/, `${file} has a doc comment`)
    t.notMatch(text, /\b(TODO|FIXME|XXX)\b(?!\()/, `${file} has no TODO without an owner`)
    t.notMatch(text, /@ts-(ignore|nocheck)/, `${file} hides nothing from the compiler`)
  }
})

t.test('every public name has a doc comment', async (t) => {
  const doors = [
    'lib/index.ts',
    'lib/rate-limits/index.ts',
    'middleware/index.ts',
    'testing/index.ts',
    'testing/contract/index.ts',
  ]
  for (const door of [...doors, ...sources.filter((file) => /^brokers\/[^/]+\/index\.ts$/.test(file))]) {
    for (const [name, file] of publicNames(door)) {
      t.ok(isDocumented(name, file), `${name} (${file})`)
    }
  }
})

/** The exports of an entry point, with the files that declare them. */
function publicNames(door: string): Map<string, string> {
  const text = read(door)
  const names = new Map<string, string>()
  for (const [, target] of text.matchAll(/^export \* from '([^']+)'/gm)) {
    const file = locate(door, target as string)
    for (const [name, home] of publicNames(file)) names.set(name, home)
    if (/\/index\.ts$/.test(file)) continue
    for (const [, name] of read(file).matchAll(declaration('(\\w+)'))) names.set(name as string, file)
  }
  for (const [, list, target] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm)) {
    for (const name of (list as string).split(',').map((one) => one.replace(/^\s*type\s/, '').trim())) {
      if (name !== '') names.set(name, locate(door, target as string))
    }
  }
  return names
}

function declaration(name: string): RegExp {
  return new RegExp(
    `^export (?:declare )?(?:abstract )?(?:async )?(?:class|function|interface|type|const|let) ${name}\\b`,
    'gm',
  )
}

/**
 * A doc comment right above it; or, for the one class that a file is about, at the top of the file; or, for an interface
 * of settings or hooks, above each of its members.
 */
function isDocumented(name: string, file: string): boolean {
  const lines = read(file).split('\n')
  const line = lines.findIndex((one) => declaration(name).test(one))
  const head = lines[line]
  if (head === undefined) return false
  if (isCommented(lines, line)) return true
  const classes = lines.filter((one) => /^export (abstract )?class /.test(one))
  if (/ class /.test(head)) return classes.length === 1 && lines[0] === '/**'
  if (!/ interface /.test(head) || head.endsWith('{}')) return / interface .* extends /.test(head)
  for (let member = line + 1; lines[member] !== undefined && lines[member] !== '}'; member++) {
    if (/^ {2}(readonly )?\w+\??[:(]/.test(lines[member] ?? '') && !isCommented(lines, member)) return false
  }
  return true
}

/** Whether a doc comment ends right above the line, notes to the linter aside. */
function isCommented(lines: readonly string[], line: number): boolean {
  let above = line - 1
  while (lines[above]?.trimStart().startsWith('// biome-ignore')) above--
  return lines[above]?.trimEnd().endsWith('*/') ?? false
}
