/** A producer that sends one message, prints the outcome, and has nothing more to do. It closes nothing. */
import { RedisBroker, type RedisBrokerOptions } from '../../brokers/redis/index.js'
import { setLogger } from '../../lib/logger.js'
import { Message } from '../../lib/message.js'

const silent = (): void => {}
setLogger({ debug: silent, info: silent, warn: silent, error: silent })

const [options] = process.argv.slice(2) as [string]
const broker = new RedisBroker({ middleware: [], ...(JSON.parse(options) as RedisBrokerOptions) })
try {
  await broker.enqueue(new Message({ queueName: 'default', actorName: 'note', args: [] }))
  console.log('stored')
} catch (error) {
  console.log((error as Error).name)
}
