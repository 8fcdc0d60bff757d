/**
 * Logs an operation that is retried until it succeeds: when it fails first, once a minute with how long it has been
 * failing, and when it has recovered.
 */
import { getLogger } from '../logger.js'
import { showDuration } from '../time.js'

export interface FailureTexts {
  /** What fails; "trying again until it works" is added. */
  readonly failing: string
  /** Logged when it works again. */
  readonly recovered: string
}

/** How often the failure is logged again, in milliseconds. */
const defaultReminder = 60_000

export class RepeatedFailure {
  #since: number | undefined
  #loggedAt = 0

  /** @param fields Fields of each log line. */
  constructor(
    private readonly texts: FailureTexts,
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly reminder = defaultReminder,
  ) {}

  /** An attempt failed. */
  failed(error: unknown): void {
    const now = performance.now()
    const first = this.#since === undefined
    this.#since ??= now
    if (!first && now - this.#loggedAt < this.reminder) return
    this.#loggedAt = now
    const lasting = Math.round(now - this.#since)
    const { failing } = this.texts
    if (first) getLogger().warn({ err: error, ...this.fields }, `${failing}; trying again until it works`)
    else {
      const text = `${failing}, for ${showDuration(lasting)} now; trying again until it works`
      getLogger().warn({ err: error, ...this.fields, lasting }, text)
    }
  }

  /** It worked. */
  recovered(): void {
    if (this.#since === undefined) return
    this.#since = undefined
    getLogger().info(this.fields, this.texts.recovered)
  }
}
