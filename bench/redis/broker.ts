/**
 * The broker compared with the bare loops: many concurrent sends, and a consumer that takes and acks. No worker.
 *
 *     node --import=tsx bench/redis/broker.ts redis://127.0.0.1:6379 100000
 */
import { randomUUID } from 'node:crypto'
import { RedisBroker } from '../../brokers/redis/index.js'
import { Message } from '../../lib/message.js'
import { type BareOptions, bareDrain, bareEnqueue } from './bare.js'

const url = process.argv[2] ?? 'redis://127.0.0.1:6379'
const count = Number(process.argv[3] ?? 50_000)
const rounds = 5

/** Sends, a thousand concurrently. */
export async function sends({ url, namespace, count }: BareOptions): Promise<void> {
  const broker = new RedisBroker({ url, namespace, middleware: [] })
  for (let at = 0; at < count; at += 1000) {
    const batch: Promise<unknown>[] = []
    for (let index = at; index < Math.min(at + 1000, count); index++) {
      batch.push(broker.enqueue(new Message({ queueName: 'bench', actorName: 'noop', args: [index, 'x'.repeat(8)] })))
    }
    await Promise.all(batch)
  }
  await broker.close()
}

/** Takes and acknowledges, while the next take runs. */
export async function drain({ url, namespace, count }: BareOptions): Promise<void> {
  const broker = new RedisBroker({ url, namespace, middleware: [] })
  const consumer = broker.consume('bench', { prefetch: 1000 })
  let done = 0
  let settling: Promise<unknown> = Promise.resolve()
  let next = consumer.take(256)
  while (done < count) {
    const deliveries = await next
    next = consumer.take(256)
    for (const { body } of deliveries) Message.decode(body)
    done += deliveries.length
    await settling
    settling = Promise.all(deliveries.map((delivery) => consumer.ack(delivery, [])))
  }
  await settling
  await consumer.close()
  await next
  await broker.close()
}

interface Figures {
  /** Messages per second. */
  rate: number
  /** Microseconds of CPU of this process per message, which vary less than the rate on a shared machine. */
  cpu: number
}

async function measure(work: (options: BareOptions) => Promise<void>, options: BareOptions): Promise<Figures> {
  const start = performance.now()
  const before = process.cpuUsage()
  await work(options)
  const { user, system } = process.cpuUsage(before)
  return { rate: (options.count / (performance.now() - start)) * 1000, cpu: (user + system) / options.count }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const works = { 'bare enqueue': bareEnqueue, send: sends, 'bare fetch and ack': bareDrain, 'take and ack': drain }
const figures = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++) {
  const namespaces = [randomUUID(), randomUUID()]
  for (const [index, [name, work]] of Object.entries(works).entries()) {
    const measured = await measure(work, { url, namespace: namespaces[index % 2] as string, count })
    figures.set(name, [...(figures.get(name) ?? []), measured])
  }
}
for (const [name, all] of figures) {
  const [rate, cpu] = [median(all.map(({ rate }) => rate)), median(all.map(({ cpu }) => cpu))]
  console.log(`${name.padEnd(20)} ${rate.toFixed(0).padStart(8)}/s ${cpu.toFixed(2).padStart(8)} µs of CPU`)
}
