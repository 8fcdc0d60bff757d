/** A service that embeds a worker: `early` starts it before it listens, `late` afterwards, `named` names its modules. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { getBroker, Worker } from 'dramatis'
import { add } from './actors.js'

const [mode] = process.argv.slice(2)

async function listen() {
  const server = createServer(async (_, response) => {
    const message = await add.send(1, 2)
    response.end(JSON.stringify(await message.result({ timeout: '30s' })))
  })
  server.listen(0)
  await once(server, 'listening')
  console.log(`listening on ${server.address().port}`)
}

const modules = mode === 'named' ? ['./embedded/actors.js'] : undefined
const worker = new Worker(getBroker(), { threads: 2, modules })
if (mode !== 'early') await listen()
await worker.start()
if (mode === 'early') await listen()
process.once('SIGTERM', async () => {
  await worker.stop()
  await getBroker().close()
  process.exit(0)
})
