/** A process that consumes, closes its broker on a line of input, and then has nothing more to do. */
import { RedisBroker } from '../../brokers/redis/index.js'
import { setLogger } from '../../lib/logger.js'

const [url, namespace, queueName] = process.argv.slice(2) as [string, string, string]
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })

const broker = new RedisBroker({ url, namespace, middleware: [] })
const consumer = broker.consume(queueName)
for (const delivery of await consumer.take(1)) await consumer.ack(delivery, [])
const sleeping = consumer.take(1).catch(() => {})
process.stdout.write('asleep\n')
process.stdin.once('data', async () => {
  process.stdin.destroy()
  await broker.close()
  await sleeping
  process.stdout.write('closed\n')
})
