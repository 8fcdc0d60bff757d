/** A run of a tracked message in this process: its status, the log that its actor writes, and what is stored of both. */
import type { Message } from '../message.js'
import type { SetChange, StateChange } from '../state/changes.js'
import type { Clock } from '../time.js'
import { type LogLine, LogTail, type Progress, type RunReporter } from './report.js'
import { decodeStatus, isEnd, logKey, type MessageStatus } from './status.js'
import { recordWaiting } from './tracking.js'

/** The shortest time between two writes, in milliseconds; a large log is written less often. */
const writeInterval = 100
/** How many bytes of a log add a millisecond to that. */
const bytesPerMillisecond = 64

export class TrackedRun implements RunReporter {
  readonly message: Message
  status: MessageStatus
  /** Resolves once the record of the message was read, whether or not that succeeded. */
  opened: Promise<unknown> = Promise.resolve()
  /** Resolves once the write that is under way has ended, whether or not it succeeded. */
  written: Promise<unknown> = Promise.resolve()
  /** Whether something was reported that isn't stored. */
  isDirty = true
  isWriting = false
  timer: unknown
  /** Whether it has been settled, or the run was taken away: nothing it reports counts any more. */
  isOver = false
  /** When it was last written, by the clock of the broker. */
  #writtenAt = 0
  /** The record as this run has left it; `null` if there was none, `undefined` if it couldn't be read. */
  #stored: string | null | undefined
  /** What was written last, and the last write that had no reply. */
  #tried: string | undefined
  #unconfirmed: string | undefined
  #log: LogTail | undefined
  /** Whether the lines of earlier attempts are in it. */
  #logIsWhole = false
  #logIsDirty = false
  readonly #clock: Clock
  readonly #onChange: (run: TrackedRun) => void

  /** @param onChange Called when something was reported. */
  constructor(message: Message, status: MessageStatus, clock: Clock, onChange: (run: TrackedRun) => void) {
    this.message = message
    this.status = status
    this.#clock = clock
    this.#onChange = onChange
  }

  // — What the actor reports —————————————————————————————————————————————————————————————————————————————

  onProgress({ progress, note, at }: Progress): void {
    if (this.isOver) return
    this.status = { ...this.status, progress, note, progressAt: this.#toClock(at) }
    this.#changed()
  }

  onLog({ at, text }: LogLine): void {
    if (this.isOver) return
    this.#log ??= new LogTail()
    this.#log.add({ at: this.#toClock(at), text })
    this.#logIsDirty = true
    this.#changed()
  }

  onRestart(): void {
    if (this.isOver) return
    this.status = { ...this.status, progress: undefined, note: undefined, progressAt: undefined }
    this.#changed()
  }

  #changed(): void {
    this.isDirty = true
    this.#onChange(this)
  }

  /** A test may have moved the clock of the broker ahead. */
  #toClock(at: number): number {
    return at + this.#clock.now() - Date.now()
  }

  // — What is stored —————————————————————————————————————————————————————————————————————————————————————

  /** Continues the record of the message. One that has ended is left alone: this delivery is an old one. */
  open(value: string | undefined): void {
    const { queuedAt = this.message.messageTimestamp, ...before } = decodeStatus(this.message.messageId, value)
    this.status = { ...this.status, queuedAt }
    if (!isEnd(before)) this.#stored = value ?? null
  }

  /** Whether the record is as this run has left it, as far as is known. */
  get holdsRecord(): boolean {
    return this.#stored !== undefined
  }

  /** Whether what it reports can be stored. */
  get isOpen(): boolean {
    return this.holdsRecord && !this.isOver
  }

  /** When it may be written next, by the clock of the broker. */
  get nextWrite(): number {
    return this.#writtenAt + writeInterval + (this.#log?.bytes ?? 0) / bytesPerMillisecond
  }

  /** Whether lines of earlier attempts must be read before the log is written. */
  get lacksOlderLines(): boolean {
    return this.#log !== undefined && !this.#logIsWhole
  }

  addOlderLines(lines: readonly LogLine[]): void {
    if (this.#logIsWhole) return
    this.#logIsWhole = true
    this.#log?.addOlder(lines)
  }

  /** What is to be stored now. Each change holds only if the record is as this run has left it. */
  takeChanges(now: number): readonly StateChange[] {
    const status = recordWaiting(this.status, now)
    this.#tried = status.value as string
    const log = this.#logIsDirty ? this.logChange(status.ttl as number) : []
    this.isDirty = false
    this.#logIsDirty = false
    this.#writtenAt = now
    return [{ ...status, expected: this.#stored ?? null }, ...log]
  }

  /** What `takeChanges` returned last is stored. */
  stored(): void {
    this.#stored = this.#tried
  }

  /** It may be stored: there was no reply. */
  storedPerhaps(): void {
    this.isDirty = true
    this.#unconfirmed = this.#tried
  }

  /** It is not, since the record has another value. Unless this is a write without a reply, the run was taken away. */
  refused(value: string | undefined): void {
    const isOwn = value !== undefined && value === this.#unconfirmed
    this.#stored = isOwn ? value : undefined
    this.isDirty = isOwn
  }

  /** The log, if the actor has written any. */
  logChange(ttl: number): SetChange[] {
    if (!this.#log) return []
    return [{ kind: 'set', key: logKey(this.message.messageId), value: JSON.stringify(this.#log.lines), ttl }]
  }
}
