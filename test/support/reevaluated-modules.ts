/** Modules with actors that are evaluated again, as by development servers and test runners, and brokers for them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { type Actor, setBroker, Worker } from '../../lib/index.js'

export type Work = Actor<[], string>

/** The folder of the modules. */
export const folder = mkdtempSync(join(tmpdir(), 'dramatis-again-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const door = new URL('../../lib/index.ts', import.meta.url).href
let versions = 0
let files = 0

/** A module that declares an actor. */
export function source(name: string, returns: string): string {
  return `export const work = actor(function ${name}() { return '${returns}' }, { storeResults: true, maxRetries: 0 })\n`
}

/** Evaluates a file as an ES module, again each time, as a server that reloads modules does. */
export async function evaluate(file: string, code: string): Promise<Work> {
  const path = join(folder, file)
  writeFileSync(path, `import { actor } from '${door}'\n${code}`)
  return ((await import(`${pathToFileURL(path)}?t=${++versions}`)) as { work: Work }).work
}

/** The path of a new module. */
export const file = (): string => `module-${++files}.mjs`

/** Makes a broker the default one, and a worker on it. */
export function serve(t: Test): { broker: MemoryBroker; worker: Worker } {
  const broker = new MemoryBroker()
  setBroker(broker)
  const worker = new Worker(broker, { threads: 0 })
  t.teardown(async () => {
    await worker.stop()
    await broker.close()
  })
  return { broker, worker }
}

/** Sets NODE_ENV until the test ends. */
export function setNodeEnv(t: Test, environment: string): void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = environment
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  })
}
