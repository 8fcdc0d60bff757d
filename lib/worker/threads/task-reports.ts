/**
 * Posts what the actors of a thread report: of each actor at once, and then at most every few milliseconds with all that
 * was reported since. So an actor that never lets the event loop turn is heard as well.
 */
import { type LogLine, LogTail, type Progress, type Reporter } from '../../status/report.js'
import { startTimer } from '../../time.js'
import type { Execution } from '../execution.js'
import { reporterOf } from '../run-reports.js'
import type { FromThread, TaskReport } from './protocol.js'

/** In milliseconds. */
const interval = 20

/** What one actor has reported. */
interface Pending {
  progress: Progress | undefined
  log: LogTail | undefined
}

export class TaskReports {
  readonly #post: (message: FromThread) => void
  readonly #pending = new Map<number, Pending>()
  #timer: NodeJS.Timeout | undefined

  constructor(post: (message: FromThread) => void) {
    this.#post = post
  }

  /** Receives what the actor of a task reports. */
  reporterFor(id: number): Reporter {
    let postedAt = 0
    const added = (at: number): void => {
      if (Math.abs(at - postedAt) < interval) {
        this.#timer ??= startTimer(() => this.flush(), interval).unref()
      } else {
        postedAt = at
        this.flush()
      }
    }
    return {
      onProgress: (progress: Progress) => {
        this.#pendingOf(id).progress = progress
        added(progress.at)
      },
      onLog: (line: LogLine) => {
        const pending = this.#pendingOf(id)
        pending.log ??= new LogTail()
        pending.log.add(line)
        added(line.at)
      },
    }
  }

  #pendingOf(id: number): Pending {
    let pending = this.#pending.get(id)
    if (!pending) {
      pending = { progress: undefined, log: undefined }
      this.#pending.set(id, pending)
    }
    return pending
  }

  /** Posts a message after what is pending. */
  postAfter(message: FromThread): void {
    this.flush()
    this.#post(message)
  }

  flush(): void {
    if (this.#pending.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const reports = Array.from(this.#pending, ([id, { progress, log }]): TaskReport => [id, progress, log?.lines ?? []])
    this.#pending.clear()
    this.#post({ type: 'reports', reports })
  }
}

/** Called on the main thread. What is reported by a run that was taken away from its thread is dropped. */
export function passOnReports(
  reports: readonly TaskReport[],
  runs: ReadonlyMap<number, { readonly execution: Execution }>,
): void {
  for (const [id, progress, lines] of reports) {
    const execution = runs.get(id)?.execution
    const reporter = execution && reporterOf(execution)
    if (!reporter) continue
    if (progress) reporter.onProgress(progress)
    for (const line of lines) reporter.onLog(line)
  }
}
