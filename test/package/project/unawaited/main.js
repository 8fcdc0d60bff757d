/** A typical application: its start takes some time, and isn't awaited. */
import { setTimeout as connect } from 'node:timers/promises'
import { runWorker } from 'dramatis'

async function main() {
  await connect(300)
  await import('../actors.js')
  await runWorker({ threads: 2 })
}

main()
