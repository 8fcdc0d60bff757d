/** The messages of this process that turned out to be cancelled. Most processes never have one, and ask only `any`. */
import { CancelledError } from '../errors.js'
import type { Message } from '../message.js'
import { isCancellable, type Mark, scopesOf } from './marks.js'

export class CancelledMessages {
  /** Whether there ever was one. */
  any = false
  readonly #errors = new WeakMap<Message, CancelledError>()
  readonly #marked = new WeakSet<Message>()

  /** The error with which a message ends, if it is cancelled. */
  errorOf(message: Message): CancelledError | undefined {
    return this.any ? this.#errors.get(message) : undefined
  }

  /** Whether the message has a mark of its own, which its end removes. */
  hasMark(message: Message): boolean {
    return this.any && this.#marked.has(message)
  }

  /** Notes that a message is cancelled, if one of these marks says so. */
  note(message: Message, marks: ReadonlyMap<string, Mark>): CancelledError | undefined {
    const mark = scopesOf(message)
      .map((id) => marks.get(id))
      .find((one) => one !== undefined)
    if (!mark || !isCancellable(message)) return undefined
    const error = this.#errors.get(message) ?? new CancelledError(mark.reason)
    this.any = true
    this.#errors.set(message, error)
    if (marks.has(message.messageId)) this.#marked.add(message)
    return error
  }
}
