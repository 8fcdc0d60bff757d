/**
 * What it costs to track messages, on Redis and on SQLite.
 *
 * 1. 1,000 messages that run at once in another process report their progress, each followed by a watcher here: how many
 *    reports are made, written and seen, and how long after the report a watcher sees it.
 * 2. Messages that do nothing, inline, with and without `trackStatus`: sent and processed per second.
 *
 * $ node --import=tsx bench/features/progress.ts [messages of the second part] [rounds]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RedisBroker } from '../../brokers/redis/index.js'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { actor, type Broker, current, setLogger, Worker } from '../../lib/index.js'
// @ts-expect-error it has no types
import { startRedis } from '../redis-server.js'

const watched = 1000
const seconds = 5

interface Place {
  readonly url?: string
  readonly path?: string
}

setLogger({ debug() {}, info() {}, warn: console.error, error: console.error })

function open({ url, path }: Place): Broker {
  return url ? new RedisBroker({ url }) : new SQLiteBroker({ path: path as string })
}

const now = (): number => performance.timeOrigin + performance.now()

/** Reports at an interval in milliseconds; the note says when. */
function declareReporter(broker: Broker, count: { reports: number }) {
  return actor(
    async (interval: number) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * interval))
      for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
        count.reports++
        current().progress(1 - Math.max(0, end - Date.now()) / (1000 * seconds), { note: String(now()) })
        await new Promise((resolve) => setTimeout(resolve, interval))
      }
    },
    { actorName: 'reporter', broker, trackStatus: true },
  )
}

/** In the other process: a worker that counts what it writes. */
async function work(place: Place): Promise<void> {
  const broker = open(place)
  const count = { reports: 0, writes: 0, calls: 0 }
  declareReporter(broker, count)
  const state = broker.state as NonNullable<Broker['state']>
  const apply = state.apply.bind(state)
  state.apply = (changes) => {
    count.calls++
    count.writes += changes.length
    return apply(changes)
  }
  const worker = new Worker(broker, { threads: 0, concurrency: watched, prefetch: watched })
  await worker.start()
  process.send?.('ready')
  await once(process, 'message')
  process.send?.({ ...count, cpu: process.cpuUsage() })
  await worker.stop()
  await broker.close()
  process.disconnect()
}

async function measureProgress(name: string, place: Place, interval: number): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(place)], { execArgv: ['--import=tsx'] })
  await once(child, 'message')
  const broker = open(place)
  const reporter = declareReporter(broker, { reports: 0 })
  const messages = await reporter.sendMany(Array.from({ length: watched }, () => [interval]))
  const delays: number[] = []
  const follow = async (id: string): Promise<void> => {
    for await (const { note } of broker.progress(id)) delays.push(now() - Number(note))
  }
  const start = performance.now()
  await Promise.all(messages.map(({ messageId }) => follow(messageId)))
  const elapsed = (performance.now() - start) / 1000
  const counted = once(child, 'message')
  child.send('stop')
  const [{ reports, writes, calls, cpu }] = (await counted) as [
    { reports: number; writes: number; calls: number; cpu: NodeJS.CpuUsage },
  ]
  await once(child, 'exit')
  await broker.close()
  delays.sort((a, b) => a - b)
  const at = (share: number): string => `${(delays[Math.floor(share * (delays.length - 1))] as number).toFixed(1)} ms`
  const each = (total: number): string => `${Math.round(total / elapsed)}/s`
  const busy = Math.round((cpu.user + cpu.system) / elapsed / 10_000)
  console.log(
    `${name}, ${watched} messages, each reports every ${interval} ms: ${each(reports)} reports, ${each(writes)} writes ` +
      `in ${each(calls)} calls, ${each(delays.length)} seen; a watcher sees it after p50 ${at(0.5)}, p99 ${at(0.99)}; ` +
      `CPU of the worker ${busy} %`,
  )
}

async function measureThroughput(place: Place, trackStatus: boolean, messages: number): Promise<[number, number]> {
  const broker = open(place)
  const noop = actor(() => {}, { actorName: 'noop', broker, trackStatus })
  const rate = (from: number): number => Math.round(messages / ((performance.now() - from) / 1000))
  const sending = performance.now()
  for (let sent = 0; sent < messages; sent += 256) {
    await Promise.all(Array.from({ length: Math.min(256, messages - sent) }, () => noop.send()))
  }
  const sent = rate(sending)
  const worker = new Worker(broker, { threads: 0 })
  const processing = performance.now()
  await worker.start()
  await worker.join()
  const processed = rate(processing)
  await worker.stop()
  await broker.close()
  return [sent, processed]
}

async function main(): Promise<void> {
  const messages = Number(process.argv[2] ?? 20_000)
  const rounds = Number(process.argv[3] ?? 3)
  const server = await startRedis()
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  let files = 0
  const places: Record<string, () => Place> = {
    Redis() {
      server.flush()
      return { url: server.url }
    },
    SQLite: () => ({ path: join(folder, `${++files}.db`) }),
  }
  for (const [name, place] of Object.entries(places)) {
    for (const interval of [1000, 50]) await measureProgress(name, place(), interval)
    for (let round = 1; round <= rounds; round++) {
      for (const trackStatus of [false, true]) {
        const [sent, processed] = await measureThroughput(place(), trackStatus, messages)
        console.log(
          `${name}, round ${round}, ${trackStatus ? 'tracked' : 'untracked'}: ${sent}/s sent, ${processed}/s processed`,
        )
      }
    }
  }
  rmSync(folder, { recursive: true })
  server.stop()
}

const place = process.argv[2]
if (place?.startsWith('{')) await work(JSON.parse(place) as Place)
else await main()
