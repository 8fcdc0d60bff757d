/** Calls of a thread to the main thread that have no reply yet. */
import { unpackError } from '../../error-data.js'
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
