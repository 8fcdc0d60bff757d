/** Real Python Dramatiq in a separate process, controlled by lines of JSON. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'

const environment = (): NodeJS.ProcessEnv => {
  const { DRAMATIQ_SRC } = process.env
  return DRAMATIQ_SRC ? { ...process.env, PYTHONPATH: DRAMATIQ_SRC } : process.env
}

/** The Python with Dramatiq and its Redis dependencies, if there is one. `DRAMATIQ_SRC` may name a checkout. */
export function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) =>
      spawnSync(python, ['-c', 'import dramatiq, redis'], { env: environment(), stdio: 'ignore' }).status === 0,
  )
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
