/** Real Python Dramatiq in a separate process, controlled by lines of JSON. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'
import { t } from 'tap'
import { withRedis } from './redis-server.js'

const environment = (): NodeJS.ProcessEnv => {
  const { DRAMATIQ_SRC } = process.env
  return DRAMATIQ_SRC ? { ...process.env, PYTHONPATH: DRAMATIQ_SRC } : process.env
}

/** The Python with Dramatiq and its Redis dependencies, if there is one. `DRAMATIQ_SRC` may name a checkout. */
function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) =>
      spawnSync(python, ['-c', 'import dramatiq, redis'], { env: environment(), stdio: 'ignore' }).status === 0,
  )
}

/** Defines tests with Python and us on one Redis, which is empty before each. Without Dramatiq they are skipped. */
export async function withPython(define: (python: string, url: string, redis: Redis) => void): Promise<void> {
  const python = findPython()
  if (!python)
    return void t.plan(0, "python3 -c 'import dramatiq, redis' doesn't work here, and DRAMATIQ_SRC names no checkout")
  await withRedis((server) => {
    const redis = server.client()
    t.beforeEach(() => redis.flushdb() as unknown as Promise<void>)
    define(python, server.url, redis)
  })
}

export class Python {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (value: unknown) => void>()
  /** The lines that its actors printed. */
  readonly said: Record<string, unknown>[] = []
  #last = 0

  constructor(python: string, url: string, { heartbeatTimeout = 60_000 } = {}) {
    const script = new URL('../interop/driver.py', import.meta.url).pathname
    const args = [script, url, `${heartbeatTimeout}`]
    this.#child = spawn(python, args, {
      env: environment(),
      stdio: ['pipe', 'pipe', process.env.INTEROP_LOG ? 'inherit' : 'ignore'],
    })
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const said = JSON.parse(line) as Record<string, unknown>
      const answer = this.#waiting.get(said.answer as number)
      if (answer) answer(said.value)
      else this.said.push(said)
    })
  }

  /** Sends it a command, and resolves with the outcome. */
  tell<T>(command: string, details: Record<string, unknown> = {}): Promise<T> {
    const number = ++this.#last
    this.#child.stdin?.write(`${JSON.stringify({ number, command, ...details })}\n`)
    return new Promise((resolve) => this.#waiting.set(number, resolve as (value: unknown) => void))
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
