/** Passes on what running actors report. */
import type { Message } from '../message.js'
import type { LogLine, Progress, RunReporter } from '../status/report.js'
import type { Execution } from './execution.js'
import { executionOf } from './running-messages.js'

/**
 * Has the reports of a message that is about to run passed on; for `beforeProcessMessage` hooks.
 * @returns How many times it was delivered, this time included.
 */
export function receiveReports(message: Message, reporter: RunReporter): number {
  const execution = executionOf(message)
  if (!execution) return 1
  execution.reporter = reporter
  return execution.delivery.deliveryCount
}

/** Whether somebody receives the reports of a run. */
export function hasReporter({ members, reporter }: Execution): boolean {
  return reporter !== undefined || (members?.some((member) => member.reporter !== undefined) ?? false)
}

/** Who receives the reports of a run, if anybody does; of a batch, its messages each get all of them. */
export function reporterOf({ members, reporter }: Execution): RunReporter | undefined {
  if (!members) return reporter
  const reporters = members.flatMap((member) => member.reporter ?? [])
  if (reporters.length === 0) return undefined
  return {
    onProgress: (progress: Progress) => {
      for (const one of reporters) one.onProgress(progress)
    },
    onLog: (line: LogLine) => {
      for (const one of reporters) one.onLog(line)
    },
    onRestart: () => {
      for (const one of reporters) one.onRestart()
    },
  }
}
