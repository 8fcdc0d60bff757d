/** A service that embeds a worker and has nothing else to keep it alive. It prints warnings and what it ran. */
import { RedisBroker } from '../../brokers/redis/index.js'
import { actor, setLogger, Worker } from '../../lib/index.js'

const [url, namespace] = process.argv.slice(2) as [string, string]
const silent = (): void => {}
const warn = (_: object, text: string): void => console.log(text)
setLogger({ debug: silent, info: silent, warn, error: silent })

const broker = new RedisBroker({ url, namespace })
actor(async (what: string) => console.log(`ran ${what}`), { actorName: 'note', broker })
const worker = new Worker(broker, { threads: 0 })
await worker.start()
console.log('started')
