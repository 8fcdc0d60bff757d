/** Calls of a thread to the main thread: those that have no reply yet, and the replies of the main thread. */
import { packError, unpackError } from '../../error-data.js'
import { type Service, threadService } from '../../main-thread.js'
import type { FromThread, ToThread } from './protocol.js'

interface PendingCall {
  resolve(value: unknown): void
  reject(error: Error): void
}

export class PendingCalls {
  readonly #open = new Map<number, PendingCall>()
  #last = 0

  constructor(
    private readonly post: (message: FromThread) => void,
    /** Called with 1 for each call, and with -1 for each reply. */
    private readonly onOpenCalls: (change: 1 | -1) => void,
  ) {}

  call(service: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last
      this.#open.set(id, { resolve, reject })
      this.onOpenCalls(1)
      this.post({ type: 'call', id, service, method, args })
    })
  }

  answer({ id, result, error }: Extract<ToThread, { type: 'answer' }>): void {
    const call = this.#open.get(id)
    this.#open.delete(id)
    this.onOpenCalls(-1)
    if (error) call?.reject(unpackError(error))
    else call?.resolve(result)
  }
}

/** Called on the main thread: calls a service of the worker, or else of the process. */
export async function answerCall(
  { id, service, method, args }: Extract<FromThread, { type: 'call' }>,
  services: Readonly<Record<string, Service>>,
  post: (answer: ToThread) => unknown,
): Promise<void> {
  try {
    const serve = services[service] ?? threadService(service)
    if (!serve) throw new Error(`The main thread has no service "${service}" for its threads.`)
    post({ type: 'answer', id, result: await serve(method, args) })
  } catch (error) {
    post({ type: 'answer', id, error: packError(error) })
  }
}
