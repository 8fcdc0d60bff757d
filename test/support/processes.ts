/** Child processes that communicate in lines. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export class Child {
  /** The lines it has printed so far. */
  readonly lines: string[] = []
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  readonly #exited: Promise<unknown>
  #changed: () => void = () => {}

  /**
   * Starts a script of this folder; it is killed at the end of the test at the latest.
   * @param script Its name, such as `sqlite-worker.ts`.
   * @param under A command that runs another, such as `unshare --pid --fork`.
   */
  constructor(t: Pick<Test, 'teardown'>, script: string, args: readonly string[], under: readonly string[] = []) {
    const file = fileURLToPath(new URL(script, import.meta.url))
    const [command, ...rest] = [...under, process.execPath, '--import=tsx', file, ...args] as [string, ...string[]]
    this.process = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.process.stdin.on('error', () => {})
    this.#exited = once(this.process, 'exit')
    const lines = createInterface({ input: this.process.stdout })
    lines.on('line', (line) => {
      this.lines.push(line)
      this.#changed()
    })
    lines.on('close', () => this.#changed())
    t.teardown(() => this.kill())
  }

  /** Waits until its lines fulfil a condition. Rejects if it ends before. */
  async until(condition: (lines: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.lines)) {
      const { exitCode, signalCode } = this.process
      if (exitCode !== null || signalCode !== null) throw new Error(`The child ended with ${signalCode ?? exitCode}.`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }

  writeLine(line: string): void {
    this.process.stdin.write(`${line}\n`)
  }

  /** Sends `kill -9`; resolves when it has ended and all its output was read. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended()
  }

  async ended(): Promise<void> {
    await this.#exited
    if (!this.process.stdout.readableEnded) await once(this.process.stdout, 'close')
  }
}
