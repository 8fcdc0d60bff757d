/**
 * The SQLiteBroker without a worker, compared with the bare loop in the same run: many concurrent sends, then take
 * and ack.
 *
 * $ node --import=tsx bench/sqlite/broker.ts [messages] [rounds]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQLiteBroker } from '../../brokers/sqlite/index.js'
import { Message } from '../../lib/message.js'
import { bareLoop, type Rate, startRate } from './bare-loop.js'

const messages = Number(process.argv[2] ?? 100_000)
const rounds = Number(process.argv[3] ?? 3)
const batch = 256

async function measure(): Promise<{ enqueued: Rate; processed: Rate }> {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-bench-'))
  const broker = new SQLiteBroker({ path: join(folder, 'queue.db'), middleware: [] })
  const sent = startRate(messages)
  for (let done = 0; done < messages; done += batch) {
    const sends: Promise<unknown>[] = []
    for (let index = 0; index < batch; index++) {
      sends.push(broker.enqueue(new Message({ queueName: 'default', actorName: 'noop', args: [1] })))
    }
    await Promise.all(sends)
  }
  const enqueued = sent()
  const consumer = broker.consume('default', { prefetch: batch })
  const drained = startRate(messages)
  for (let acks: Promise<void>[] = [], taken = 0; taken < messages; ) {
    const [deliveries] = await Promise.all([consumer.take(batch), ...acks])
    taken += deliveries.length
    acks = deliveries.map((delivery) => {
      Message.decode(delivery.body)
      return consumer.ack(delivery, [])
    })
    if (taken >= messages) await Promise.all(acks)
  }
  const processed = drained()
  await broker.close()
  rmSync(folder, { recursive: true })
  return { enqueued, processed }
}

function show({ perSecond, cpu }: Rate): string {
  return `${perSecond}/s (${cpu} µs of CPU)`
}

for (let round = 0; round < rounds; round++) {
  const bare = bareLoop({ messages, batch })
  const broker = await measure()
  console.log(`${bare.driver}, library ÷ bare loop by CPU:`)
  for (const part of ['enqueued', 'processed'] as const) {
    const ratio = (bare[part].cpu / broker[part].cpu).toFixed(2)
    console.log(`  ${part}: bare ${show(bare[part])}, broker ${show(broker[part])}: ${ratio}`)
  }
}
