/** What an actor reports of its run while it runs: its progress, and lines of its log. */
import { expected, refuseUnknown } from '../checks.js'
import { cut } from '../thrown.js'

/** How far an actor is. */
export interface Progress {
  /** From 0 to 1. */
  readonly progress: number
  /** A short text for people. */
  readonly note?: string | undefined
  /** When it was reported, in milliseconds since the epoch. */
  readonly at: number
}

/** A line of the log of a message. */
export interface LogLine {
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number
  readonly text: string
}

/** Receives what an actor reports. */
export interface Reporter {
  onProgress(progress: Progress): void
  onLog(line: LogLine): void
}

/** Receives it on the main thread, over all runs that a message needs: the run of a lost thread is started again. */
export interface RunReporter extends Reporter {
  /** The actor is started again: its reports so far are void. */
  onRestart(): void
}

/** @throws {InvalidOption} */
export function readProgress(value: unknown, options: { note?: unknown }): Progress {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1))
    throw expected('a number from 0 to 1', value, 'progress')
  refuseUnknown(options, ['note'], 'progress()')
  const { note } = options
  if (note !== undefined && typeof note !== 'string') throw expected('a text', note, 'note')
  return { progress: value, note: note === undefined ? undefined : cut(note), at: Date.now() }
}

/** @throws {InvalidOption} */
export function readLogLine(text: unknown): LogLine {
  if (typeof text !== 'string') throw expected('a text', text, 'text')
  return { at: Date.now(), text: cut(text) }
}

const maxLines = 100
const maxBytes = 65_536
/** What a line takes besides its text, in JSON. */
const lineOverhead = 32

/** The newest lines of a log. */
export class LogTail {
  #lines: LogLine[] = []
  #bytes = 0

  /** Their size as JSON, approximately, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  get lines(): readonly LogLine[] {
    return this.#lines
  }

  add(line: LogLine): void {
    this.#lines.push(line)
    this.#bytes += sizeOf(line)
    while (this.#lines.length > maxLines || this.#bytes > maxBytes)
      this.#bytes -= sizeOf(this.#lines.shift() as LogLine)
  }

  /** Adds lines that were written before these. */
  addOlder(lines: readonly LogLine[]): void {
    const newer = this.#lines
    this.#lines = []
    this.#bytes = 0
    for (const line of [...lines, ...newer]) this.add(line)
  }
}

function sizeOf({ text }: LogLine): number {
  return Buffer.byteLength(text) + lineOverhead
}
