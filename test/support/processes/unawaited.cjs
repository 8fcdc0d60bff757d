/** The same in CommonJS, where nothing can be awaited at the top level. */
const { isMainThread } = require('node:worker_threads')

async function main() {
  const { actor, runWorker } = await import('../../../lib/index.js')
  let connected = false
  actor(() => connected, { actorName: 'isConnected', storeResults: true, maxRetries: 0 })
  await new Promise((resolve) => setTimeout(resolve, isMainThread ? 10 : 400))
  connected = true
  await import('./actors.js')
  await runWorker(JSON.parse(process.env.WORKER_OPTIONS ?? '{}'))
}

main()
