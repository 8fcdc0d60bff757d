/**
 * The end of a thread that was asked to stop. It ends by itself once nothing keeps its event loop alive. If something
 * does, such as an open socket, the thread reports it after a grace period and exits.
 */
import type { MessagePort } from 'node:worker_threads'
import { getLogger } from '../../logger.js'
import { startTimer } from '../../time.js'
import type { FromThread } from './protocol.js'

/** How long a thread may take to stop, in milliseconds. */
export const stopTimeout = 2000

/**
 * How long the application's code may keep the thread alive after dramatis has finished there: if it continues after
 * `await runWorker()`, and if it has nothing left to do.
 */
const cleanUpTime = 1500
const idleTime = 250

/** Resources that every thread has. */
const expectedResources = ['MessagePort', 'Immediate', 'PipeWrap', 'TTYWrap', 'FSReqPromise']

/** Called in the thread: lets it end by itself, or makes it exit after a while. */
export function exitSoon(port: MessagePort, hasCleanUp: boolean): void {
  const after = hasCleanUp ? cleanUpTime : idleTime
  // It still receives replies, but these don't keep it alive.
  port.unref()
  startTimer(() => {
    const resources = process.getActiveResourcesInfo().filter((name) => !expectedResources.includes(name))
    const message: FromThread = { type: 'lingering', after, resources }
    port.postMessage(message)
    process.exit()
  }, after).unref()
}

/** Called on the main thread: logs why the thread didn't end by itself. */
export function logLingering(threadId: number, { after, resources }: Extract<FromThread, { type: 'lingering' }>): void {
  const text = `A worker thread didn't end by itself within ${after} ms after it was stopped: something keeps its event loop alive (${summary(resources)}). Close it when the thread stops, in beforeThreadStop of a plugin, or unref() it`
  getLogger().info({ threadId, resources }, text)
}

/** `TCPSocketWrap (2), Timeout` */
function summary(resources: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of resources) counts.set(name, (counts.get(name) ?? 0) + 1)
  const parts = [...counts].map(([name, count]) => (count === 1 ? name : `${name} (${count})`))
  return parts.join(', ') || 'nothing that Node reports'
}
