/** The errors of a message whose thread was lost. */
import { WorkerThreadLost } from '../../errors.js'

export function toThreadLost(cause: Error): WorkerThreadLost {
  return new WorkerThreadLost(`The thread that ran the message died: ${cause.message}`, { cause })
}

/** The error of a thread that ended by itself. */
export function exitError(code: number, cause: Error | undefined): WorkerThreadLost {
  const why =
    (cause as { code?: string } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'it ran out of memory (see maxMemory)'
      : (cause?.message ?? `it exited with code ${code}`)
  return new WorkerThreadLost(`The thread that ran the message died: ${why}.`, cause && { cause })
}
