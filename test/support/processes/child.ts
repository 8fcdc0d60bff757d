/** Processes for tests: started from source, with access to their log and output, and killed when the test ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { SQLiteBroker } from '../../../brokers/sqlite/index.js'
import { remoteActor } from '../../../lib/actor.js'
import type { ActorHandle } from '../../../lib/actor-contract.js'
import { captureLog } from '../log.js'
import { until } from '../memory.js'
import { makePath } from '../sqlite-files.js'

/** A line of the log, as pino writes it. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

export class Child {
  readonly process: ChildProcess
  output = ''
  errors = ''
  /** Its exit code and signal, once all of its output was read. */
  readonly ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>

  constructor(t: Pick<Test, 'teardown'>, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.process = spawn(process.execPath, ['--import=tsx', ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.ended = once(this.process, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    t.teardown(async () => {
      this.process.kill('SIGKILL')
      await this.ended
    })
  }

  get pid(): number {
    return this.process.pid as number
  }

  /** The lines it logged; throws if its standard error contains anything else. */
  get log(): LogLine[] {
    const whole = this.errors.slice(0, this.errors.lastIndexOf('\n') + 1)
    return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogLine]))
  }

  /** Waits until it logged such a line. */
  async logged(text: RegExp): Promise<LogLine> {
    let found: LogLine | undefined
    await until(() => {
      found = this.log.find(({ msg }) => text.test(msg))
      return found !== undefined
    }, `${text} in the log; it said: ${this.errors}`)
    return found as LogLine
  }

  /** Waits until it printed that. */
  said(text: string): Promise<void> {
    return until(() => this.output.includes(text), `"${text}"; it said: ${this.output}${this.errors}`)
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }
}

export interface Scene {
  readonly broker: SQLiteBroker
  /** An actor of actors.ts. */
  actor<R = unknown>(name: string, queueName?: string): ActorHandle<unknown[], R>
  /** Starts a script of this folder; `options` are those of its worker. */
  start(script: string, options?: object): Child
  /** Starts anything else on the same database. */
  run(...args: string[]): Child
}

/** A database, a broker on it for the test, and processes that work on it. */
export function scene(t: Test): Scene {
  captureLog()
  const path = makePath(t)
  const broker = new SQLiteBroker({ path })
  t.teardown(() => broker.close())
  const env = { DRAMATIS_URL: `sqlite:${path}` }
  return {
    broker,
    actor: <R>(name: string, queueName = 'default') => remoteActor<unknown[], R>(name, { broker, queueName }),
    start: (script, options = {}) =>
      new Child(t, [fileURLToPath(new URL(script, import.meta.url))], {
        ...env,
        WORKER_OPTIONS: JSON.stringify(options),
      }),
    run: (...args) => new Child(t, args, env),
  }
}
