/** A worker in a separate process, to be killed or suspended: takes all messages, holds them, and prints them. */
import { RedisBroker } from '../../brokers/redis/index.js'
import { setLogger } from '../../lib/logger.js'
import { Message } from '../../lib/message.js'

const [url, namespace, queueName, heartbeatTimeout] = process.argv.slice(2) as [string, string, string, string]
const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })

const broker = new RedisBroker({ url, namespace, heartbeatTimeout: Number(heartbeatTimeout), middleware: [] })
const consumer = broker.consume(queueName, { prefetch: 100 })

// On a line of input it settles what it holds, though others may have recovered that in the meantime.
const deliveries = [...(await consumer.take(100))]
const names = deliveries.map(({ body }) => Message.decode(body).args[0])
process.stdout.write(`${JSON.stringify({ names, counts: deliveries.map(({ deliveryCount }) => deliveryCount) })}\n`)
process.stdin.once('data', async () => {
  for (const delivery of deliveries) {
    const followUp = new Message({ queueName, actorName: 'note', args: ['ghost'] })
    await consumer.ack(delivery, [{ message: followUp }])
  }
  process.stdout.write('settled\n')
})
