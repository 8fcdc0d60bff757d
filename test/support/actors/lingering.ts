/** An actor that leaves something open in its thread. */
import { createServer } from 'node:net'
import { actor } from '../../../lib/index.js'

const servers: unknown[] = []

export const leaveOpen = actor(
  async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, resolve))
    servers.push(server)
    return 'open'
  },
  { actorName: 'leaveOpen', storeResults: true },
)

export const leaveNothing = actor(() => 'nothing', { actorName: 'leaveNothing', storeResults: true })
