/**
 * How long it takes from `cancel()` until an actor in another process is told, and until its endless loop is terminated
 * and its result says so.
 *
 * $ node --import=tsx bench/features/cancel.ts redis://127.0.0.1:6379 [rounds]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor, type Broker, current, setBroker, setLogger, Worker } from '../../lib/index.js'

/** How long an actor has to finish, in milliseconds; terminating takes longer by this. */
const grace = 1000
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: console.error })
/** The same in every process of a machine, in milliseconds. */
const now = (): number => performance.timeOrigin + performance.now()

const options = { storeResults: true, timeLimit: '10m', queueName: 'bench' } as const

/** Ends when it is told to, and returns when that was. */
const listen = actor(
  async function listen() {
    const { signal, message } = current()
    process.send?.({ started: message.messageId })
    await once(signal, 'abort')
    process.send?.({ told: now() })
  },
  { ...options },
)

const spin = actor(
  function spin() {
    for (;;);
  },
  { ...options },
)

function open(where: string): Broker {
  const [technology, rest = '', namespace] = where.split(' ')
  return technology === 'redis' ? new RedisBroker({ url: rest, namespace }) : new SQLiteBroker({ path: rest })
}

if (process.argv[2] === 'worker') {
  if (isMainThread) await work(process.argv[3] as string, Number(process.argv[4]))
} else {
  const [url = 'redis://127.0.0.1:6379', rounds = 100] = process.argv.slice(2)
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  console.table({
    SQLite: await measure(`sqlite ${join(folder, 'queue.db')}`, Number(rounds)),
    Redis: await measure(`redis ${url} ${randomUUID()}`, Number(rounds)),
  })
  rmSync(folder, { recursive: true })
}

/** A worker process: with threads it runs endless loops. */
async function work(where: string, threads: number): Promise<void> {
  process.once('disconnect', () => process.exit())
  const broker = open(where)
  setBroker(broker)
  const worker = new Worker(broker, { threads, concurrency: threads === 0 ? 8 : 1, queues: ['bench'] })
  await worker.start()
  process.send?.('ready')
}

async function measure(where: string, rounds: number): Promise<Record<string, string>> {
  const broker = open(where)
  setBroker(broker)
  const inline = await start(where, 0)
  const told: number[] = []
  const answered: number[] = []
  for (let round = 0; round < rounds; round++) {
    const started = replyOf(inline)
    const message = await listen.send()
    await started
    const heard = replyOf<{ told: number }>(inline)
    const from = now()
    await message.cancel()
    answered.push(now() - from)
    told.push((await heard).told - from)
    await broker.join('bench')
  }
  inline.disconnect()
  const ended = await measureLoops(where, Math.ceil(rounds / 5))
  await broker.close()
  return {
    'cancel() answers': show(answered),
    'the signal aborts': show(told),
    [`a loop has ended, after ${grace} ms of grace`]: show(ended.map((time) => time - grace)),
  }
}

async function measureLoops(where: string, rounds: number): Promise<number[]> {
  const child = await start(where, 1)
  const broker = open(where)
  const ended: number[] = []
  for (let round = 0; round < rounds; round++) {
    const message = await spin.send()
    while ((await broker.stats('bench')).inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    // The thread may still be starting.
    await new Promise((resolve) => setTimeout(resolve, 500))
    const from = now()
    await message.cancel()
    await message.result({ timeout: '1m' }).catch(() => {})
    ended.push(now() - from)
    await broker.join('bench')
  }
  child.disconnect()
  await broker.close()
  return ended
}

async function start(where: string, threads: number): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['worker', where, `${threads}`], { execArgv: ['--import=tsx'] })
  await replyOf(child)
  return child
}

async function replyOf<T>(child: ChildProcess): Promise<T> {
  const [reply] = await once(child, 'message')
  return reply as T
}

function show(times: number[]): string {
  times.sort((a, b) => a - b)
  const percentile = (part: number): string => `${times[Math.floor(times.length * part)]?.toFixed(1)} ms`
  return `p50 ${percentile(0.5)}, p99 ${percentile(0.99)}`
}
