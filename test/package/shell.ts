/**
 * Starts commands as a user's shell would, without the environment of the test runner. That sets variables, and adds
 * its loaders to every Node process that a test starts, with NODE_OPTIONS: `env` removes these.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'

export const cleanEnv: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(TAP|_TAPJS|npm_|DRAMATIS_)/.test(name)),
)

export interface ShellOptions {
  cwd: string
  env?: NodeJS.ProcessEnv
}

export interface Ended {
  code: number
  out: string
  err: string
}

/** Runs a command to its end. */
export function run(command: string, args: string[], { cwd, env = cleanEnv }: ShellOptions): Promise<Ended> {
  return new Promise((resolve) => {
    execFile('env', ['-u', 'NODE_OPTIONS', command, ...args], { cwd, env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, out, err })
    })
  })
}

export interface Started {
  /** Its output so far. */
  log(): string
  /** Resolves at its first output. */
  readonly printed: Promise<unknown>
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | string>
  /** Stops it with a signal, and returns its exit code. */
  stop(): Promise<number | string>
  /** Ctrl-C: the signal goes to all started processes, npx and its shell included. Their exit codes aren't checked. */
  interrupt(): Promise<unknown>
}

/** Starts a command that runs until it is stopped, at the end of the test at the latest. */
export function start(t: Test, command: string, args: string[], { cwd, env = cleanEnv }: ShellOptions): Started {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', command, ...args], {
    cwd,
    env,
    // A separate process group, so that no process is left over when a test fails.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = once(child, 'close') as Promise<[number | null, string | null]>
  const ended = exit.then(([code, signal]) => code ?? (signal as string))
  let log = ''
  const keep = (chunk: Buffer): void => {
    log += chunk
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  t.teardown(() => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL')
    } catch {
      // It has already ended, as expected.
    }
  })
  return {
    log: () => log,
    printed: once(child.stdout, 'data'),
    ended,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
    interrupt() {
      process.kill(-(child.pid as number), 'SIGINT')
      return exit
    },
  }
}
