/**
 * The SQLiteBroker without a worker, beside the bare loop in the same run: many sends at once, then take and ack.
 *
 * $ node --import=tsx bench/sqlite/broker.ts [messages] [rounds]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import { bareLoop } from './bare-loop.js'

const messages = Number(process.argv[2] ?? 100_000)
const rounds = Number(process.argv[3] ?? 3)
const batch = 256

async function measure(): Promise<{ enqueued: number; processed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const broker = new SQLiteBroker({ path: join(folder, 'queue.db'), middleware: [] })
  let start = performance.now()
  for (let done = 0; done < messages; done += batch) {
    const sends: Promise<unknown>[] = []
    for (let index = 0; index < batch; index++) {
      sends.push(broker.enqueue(new Message({ queueName: 'default', actorName: 'noop', args: [1] })))
    }
    await Promise.all(sends)
  }
  const enqueued = rate(start)
  const consumer = broker.consume('default', { prefetch: batch })
  start = performance.now()
  for (let acks: Promise<void>[] = [], taken = 0; taken < messages; ) {
    const [deliveries] = await Promise.all([consumer.take(batch), ...acks])
    taken += deliveries.length
    acks = deliveries.map((delivery) => consumer.ack(delivery, []))
    if (taken >= messages) await Promise.all(acks)
  }
  const processed = rate(start)
  await broker.close()
  rmSync(folder, { recursive: true })
  return { enqueued, processed }
}

function rate(start: number): number {
  return Math.round((messages / (performance.now() - start)) * 1000)
}

for (let round = 0; round < rounds; round++) {
  const bare = bareLoop({ messages, batch })
  const broker = await measure()
  console.log({
    driver: bare.driver,
    bare: `${bare.enqueued}/s in, ${bare.processed}/s out`,
    broker: `${broker.enqueued}/s in, ${broker.processed}/s out`,
    ratio: `${(broker.enqueued / bare.enqueued).toFixed(2)} in, ${(broker.processed / bare.processed).toFixed(2)} out`,
  })
}
