/** What a thread asks of the main thread, until the answers are there. */
import { unpackError } from '../error-data.js'
import type { FromThread, ToThread } from './protocol.js'

interface Question {
  resolve(value: unknown): void
  reject(error: Error): void
}

export class Questions {
  readonly #open = new Map<number, Question>()
  #last = 0

  constructor(
    private readonly post: (message: FromThread) => void,
    /** Told of each question, and of each answer. */
    private readonly asked: (by: 1 | -1) => void,
  ) {}

  ask(service: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last
      this.#open.set(id, { resolve, reject })
      this.asked(1)
      this.post({ type: 'call', id, service, method, args })
    })
  }

  answer({ id, result, error }: Extract<ToThread, { type: 'answer' }>): void {
    const question = this.#open.get(id)
    this.#open.delete(id)
    this.asked(-1)
    if (error) question?.reject(unpackError(error))
    else question?.resolve(result)
  }
}
