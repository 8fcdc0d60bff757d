/**
 * What an idle worker's broker costs, and how soon it notices what another connection sends.
 *
 * $ node --import=tsx bench/sqlite/idle.ts [seconds]
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'

const seconds = Number(process.argv[2] ?? 10)
const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
mkdirSync(join(folder, 'real'))
// By another path a broker gets a connection of its own, as in another process.
symlinkSync(join(folder, 'real'), join(folder, 'link'))
const worker = new SQLiteBroker({ path: join(folder, 'real', 'queue.db'), middleware: [] })
const producer = new SQLiteBroker({ path: join(folder, 'link', 'queue.db'), middleware: [] })
const consumer = worker.consume('default')

const delays: number[] = []
for (let round = 0; round < 100; round++) {
  const waiting = consumer.take(1)
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 20))
  await producer.enqueue(new Message({ queueName: 'default', actorName: 'noop', args: [] }))
  const start = performance.now()
  const [delivery] = await waiting
  delays.push(performance.now() - start)
  if (delivery) await consumer.ack(delivery, [])
}
delays.sort((a, b) => a - b)

const before = process.cpuUsage()
const start = performance.now()
while (performance.now() - start < seconds * 1000) await consumer.take(1)
const { user, system } = process.cpuUsage(before)
console.log({
  noticed: `${delays[50]?.toFixed(1)} ms in the median, ${delays[99]?.toFixed(1)} ms at most, of 100`,
  idle: `${(((user + system) / 1000 / (performance.now() - start)) * 100).toFixed(2)} % of a core`,
})
await worker.close()
await producer.close()
rmSync(folder, { recursive: true })
