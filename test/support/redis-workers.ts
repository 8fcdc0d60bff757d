/** Workers in separate processes, to be killed or suspended: see `redis-child.ts`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { inTime, queueName } from '../../testing/contract/brokers/exam.js'

export interface Child {
  readonly child: ChildProcess
  /** The next line of its output. */
  readonly line: () => Promise<string>
  readonly held: { readonly names: unknown[]; readonly counts: number[] }
}

/** Starts a worker process that takes all messages; resolves when it holds them. */
export async function startWorker(
  t: Test,
  { url, namespace, heartbeatTimeout }: { url: string; namespace: string; heartbeatTimeout: number },
): Promise<Child> {
  const script = new URL('./redis-child.ts', import.meta.url).pathname
  const args = ['--import=tsx', script, url, namespace, queueName, `${heartbeatTimeout}`]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => (await inTime(lines.next(), 'a line of the child process')).value as string
  return { child, line, held: JSON.parse(await line()) as Child['held'] }
}
