/**
 * The end of a thread that was told to stop. It ends by itself once nothing keeps its event loop alive; a socket that its
 * code left open does. It is given some time, and then told of, and ended.
 */
import type { MessagePort } from 'node:worker_threads'
import { getLogger } from '../../logger.js'
import { startTimer } from '../../time.js'
import type { FromThread } from './protocol.js'

/** How long a thread that was told to stop may take in all, in milliseconds. */
export const stopTimeout = 2000

/**
 * How long its code may take once our own part in it is done: where it goes on after `await runWorker()`, and where there is
 * nothing left for it to do.
 */
const cleanUpTime = 1500
const idleTime = 250

/** What every thread has. */
const expectedResources = ['MessagePort', 'Immediate', 'PipeWrap', 'TTYWrap', 'FSReqPromise']

/** In the thread: lets it end by itself, for a while. */
export function exitSoon(port: MessagePort, hasCleanUp: boolean): void {
  const after = hasCleanUp ? cleanUpTime : idleTime
  // It still hears of answers, but these don't keep it.
  port.unref()
  startTimer(() => {
    const resources = process.getActiveResourcesInfo().filter((name) => !expectedResources.includes(name))
    const message: FromThread = { type: 'lingering', after, resources }
    port.postMessage(message)
    process.exit()
  }, after).unref()
}

/** On the main thread: says why it took so long. */
export function logLingering(threadId: number, { after, resources }: Extract<FromThread, { type: 'lingering' }>): void {
  const text = `A worker thread was told to stop and didn't end by itself within ${after} ms: something keeps its event loop alive (${summary(resources)}). Close it when the thread stops, in beforeThreadStop of a plugin, or unref() it`
  getLogger().info({ threadId, resources }, text)
}

/** `TCPSocketWrap (2), Timeout` */
function summary(resources: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of resources) counts.set(name, (counts.get(name) ?? 0) + 1)
  const parts = [...counts].map(([name, count]) => (count === 1 ? name : `${name} (${count})`))
  return parts.join(', ') || 'nothing that Node can name'
}
