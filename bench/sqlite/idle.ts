/**
 * What an idle worker costs, and how soon it starts what another process sends: with one queue and with 300.
 *
 * $ node --import=tsx bench/sqlite/idle.ts [seconds]
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'

const pause = 20
/** The same in every process of a machine, in milliseconds. */
const now = (): number => performance.timeOrigin + performance.now()

if (process.argv[2] === 'producer') await produce(process.argv[3] as string, Number(process.argv[4]))
else
  for (const queues of [1, 300]) console.log(`${queues} queues:`, await measure(queues, Number(process.argv[2] ?? 10)))

/** Sends a message every 20 ms, to each queue in turn, until its parent is gone. */
async function produce(path: string, queues: number): Promise<void> {
  process.once('disconnect', () => process.exit())
  const broker = new SQLiteBroker({ path, middleware: [] })
  for (let sent = 0; ; sent++) {
    await wait(pause)
    const queueName = `q${sent % queues}`
    await broker.enqueue(new Message({ queueName, actorName: 'noop', args: [now()] }))
  }
}

async function measure(queues: number, seconds: number): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const path = join(folder, 'queue.db')
  const broker = new SQLiteBroker({ path, middleware: [] })
  const delays: number[] = []
  for (let index = 0; index < queues; index++) void consume(broker, `q${index}`, delays)
  // Starting so many consumers takes a while.
  await wait(5000)
  const idle = await busyFor(seconds)
  const producer = fork(fileURLToPath(import.meta.url), ['producer', path, `${queues}`], { execArgv: ['--import=tsx'] })
  await wait(2000)
  delays.length = 0
  const busy = await busyFor(seconds)
  producer.disconnect()
  await broker.close()
  rmSync(folder, { recursive: true })
  delays.sort((a, b) => a - b)
  const percentile = (part: number): string => `${delays[Math.floor(delays.length * part)]?.toFixed(1)} ms`
  return {
    idle: `${idle} % of a core`,
    'send to start': `p50 ${percentile(0.5)}, p99 ${percentile(0.99)} of ${delays.length}`,
    [`with ${1000 / pause} sends a second`]: `${busy} % of a core`,
  }
}

async function consume(broker: SQLiteBroker, queueName: string, delays: number[]): Promise<void> {
  const consumer = broker.consume(queueName)
  while (!broker.closed) {
    for (const delivery of await consumer.take(10)) {
      delays.push(now() - (Message.decode(delivery.body).args[0] as number))
      await consumer.ack(delivery, [])
    }
  }
}

/** How much of a core this process used in that time, in percent. */
async function busyFor(seconds: number): Promise<string> {
  const before = process.cpuUsage()
  const start = performance.now()
  await wait(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) / 10 / (performance.now() - start)).toFixed(2)
}
