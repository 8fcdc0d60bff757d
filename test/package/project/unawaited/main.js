/** An application as most are: its beginning takes a while, and nobody awaits it. */
import { setTimeout as connect } from 'node:timers/promises'
import { runWorker } from 'dramatis'

async function main() {
  await connect(300)
  await import('../actors.js')
  await runWorker({ threads: 2 })
}

main()
