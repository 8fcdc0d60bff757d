/**
 * The folders of the Redis broker follow the way of a message, and their imports run one way, types included:
 * `connection/` ← `sending/` ← `consuming/` ← `maintenance/` ← the files beside the folders.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../brokers/redis/', import.meta.url))
const folders = ['connection', 'sending', 'consuming', 'maintenance']
/** Files beside the folders that these may import. */
const foundation = ['ids.ts', 'keys.ts', 'scripts.ts']

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))

interface Import {
  readonly from: string
  readonly to: string
  readonly typesOnly: boolean
}

/** The imports of a file that stay within the broker. */
function importsOf(from: string): Import[] {
  const found = readFileSync(root + from, 'utf8').matchAll(/^(import|export)\b([^'"]*?)\bfrom '(\.[^']+)\.js'/gm)
  return [...found]
    .map(([, , clause, name]) => ({
      from,
      to: `${posix.join(posix.dirname(from), name as string)}.ts`,
      typesOnly: /^ type\b/.test(clause as string),
    }))
    .filter(({ to }) => files.includes(to))
}

/** The position of a file's folder; files beside the folders come last. */
function positionOf(file: string): number {
  const position = folders.indexOf(posix.dirname(file))
  return position === -1 ? folders.length : position
}

const imports = files.flatMap(importsOf)

t.test('all folders are known, and their imports are found', async (t) => {
  const names = new Set(files.map((file) => posix.dirname(file)).filter((name) => name !== '.'))
  t.same([...names].sort(), [...folders].sort())
  t.ok(imports.some(({ from, to }) => from === 'consuming/consumer.ts' && to === 'sending/enqueue-records.ts'))
})

t.test(
  'no folder imports one that comes after it, nor a file beside the folders but for ids, keys and scripts',
  async (t) => {
    const backward = imports.filter(({ from, to }) => positionOf(from) < positionOf(to) && !foundation.includes(to))
    t.same(backward, [])
  },
)

t.test('ids, keys and scripts import nothing of the folders but types', async (t) => {
  const values = imports.filter(
    ({ from, to, typesOnly }) => foundation.includes(from) && to.includes('/') && !typesOnly,
  )
  t.same(values, [])
})
