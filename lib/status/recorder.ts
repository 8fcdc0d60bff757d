/**
 * Records the status of the tracked messages that run in this process. The ends are recorded in the step that settles a
 * message. Everything before is written beside it: the writes of one turn of the event loop share a call, and no actor
 * waits for them. Each of those writes expects the record as this run has left it, so that none can overwrite the end, or
 * what another worker records.
 */
import { hostname } from 'node:os'
import type { Broker } from '../broker.js'
import { textOf } from '../failure.js'
import type { Message } from '../message.js'
import type { PendingSettlement } from '../settlement.js'
import type { StateBackend } from '../state/backend.js'
import { partOf, type SettlementStep } from '../state/steps.js'
import { cut } from '../thrown.js'
import { TurnBatch } from '../turn-batch.js'
import { RepeatedFailure } from '../worker/repeated-failure.js'
import { receiveReports } from '../worker/run-reports.js'
import { decodeLog, decodeStatus, logKey, type MessageState, type MessageStatus, statusKey } from './status.js'
import { TrackedRun } from './tracked-run.js'
import { queuedStatus, record, recordWaiting } from './tracking.js'
import { readInTurn } from './turn-reads.js'

const worker = `${hostname()}:${process.pid}`

/** Writes that are due within these many milliseconds share a call. */
const writeGrid = 20
/** The most runs whose changes share a call. */
const maxRuns = 250

const texts = { failing: "Can't record the status of messages", recovered: 'Recording the status of messages again' }

const states: Readonly<Record<string, MessageState>> = {
  ack: 'succeeded',
  skip: 'succeeded',
  retry: 'retrying',
  'dead-letter': 'failed',
  cancel: 'cancelled',
  flush: 'cancelled',
}

export class StatusRecorder {
  readonly #broker: Broker
  readonly #runs = new WeakMap<Message, TrackedRun>()
  readonly #writes = new TurnBatch<TrackedRun>((runs) => this.#writeAll(runs), { most: maxRuns })
  readonly #failure = new RepeatedFailure(texts, {})

  constructor(broker: Broker) {
    this.#broker = broker
  }

  get #state(): StateBackend {
    return this.#broker.stateFor('The status of messages')
  }

  // — The run ————————————————————————————————————————————————————————————————————————————————————————————

  /** The actor of a message is about to run. */
  start(message: Message): void {
    const { clock } = this.#broker
    const queued = { ...queuedStatus(message, undefined, this.#broker), queuedAt: message.messageTimestamp }
    const status: MessageStatus = { ...queued, state: 'running', startedAt: clock.now(), worker }
    const run = new TrackedRun(message, status, clock, (changed) => this.#schedule(changed))
    const deliveryCount = receiveReports(message, run)
    // A delivery that was lost with its worker was an attempt.
    run.status = { ...status, attempt: (status.attempt as number) + deliveryCount - 1 }
    this.#runs.set(message, run)
    run.opened = this.#open(run)
  }

  async #open(run: TrackedRun): Promise<void> {
    try {
      run.open(await readInTurn(this.#state, statusKey(run.message.messageId)))
      this.#schedule(run)
    } catch (error) {
      this.#failure.failed(error)
    }
  }

  /** The run ends: what it reports from now on doesn't count. */
  async #end(message: Message): Promise<TrackedRun | undefined> {
    const run = this.#runs.get(message)
    if (!run) return undefined
    run.isOver = true
    this.#broker.clock.clearTimeout(run.timer)
    await run.opened
    return run
  }

  // — Writes beside the settlement ———————————————————————————————————————————————————————————————————————

  #schedule(run: TrackedRun): void {
    if (!run.isOpen || run.isWriting || run.timer !== undefined) return
    const { clock } = this.#broker
    const now = clock.now()
    if (run.nextWrite <= now) return this.#write(run)
    const due = Math.ceil(run.nextWrite / writeGrid) * writeGrid
    run.timer = clock.setTimeout(() => {
      run.timer = undefined
      this.#write(run)
    }, due - now)
  }

  #write(run: TrackedRun): void {
    run.isWriting = true
    run.written = this.#writes.add(run).then(
      () => this.#failure.recovered(),
      (error) => {
        run.storedPerhaps()
        this.#failure.failed(error)
      },
    )
    void run.written.then(() => {
      run.isWriting = false
      if (run.isDirty) this.#schedule(run)
    })
  }

  async #writeAll(runs: readonly TrackedRun[]): Promise<void> {
    await this.#addOlderLines(runs.filter((run) => run.isOpen && run.lacksOlderLines))
    const now = this.#broker.clock.now()
    let steps = runs.filter((run) => run.isOpen).map((run) => ({ run, changes: run.takeChanges(now) }))
    while (steps.length > 0) {
      const refusal = await this.#state.apply(steps.flatMap(({ changes }) => changes))
      if (!refusal) break
      const { part } = partOf(steps, refusal.index)
      steps[part]?.run.refused(refusal.value)
      steps.splice(part, 1)
      steps = steps.filter(({ run }) => run.isOpen)
    }
    for (const { run } of steps) run.stored()
  }

  async #addOlderLines(runs: readonly TrackedRun[]): Promise<void> {
    const read = async (run: TrackedRun): Promise<void> =>
      run.addOlderLines(decodeLog(await readInTurn(this.#state, logKey(run.message.messageId))))
    await Promise.all(runs.map(read))
  }

  // — Ends ———————————————————————————————————————————————————————————————————————————————————————————————

  /**
   * Records what becomes of a message in the step that settles it.
   * @param ttl How long the record of an end is kept, in milliseconds.
   */
  async settle(message: Message, settlement: PendingSettlement, step: SettlementStep, ttl: number): Promise<void> {
    const run = await this.#end(message)
    if (run?.lacksOlderLines) await this.#addOlderLines([run])
    const now = this.#broker.clock.now()
    const status = this.#settledStatus(run?.status ?? (await this.#statusWithoutRun(message)), settlement, now)
    const waits = settlement.decision === 'retry' || settlement.decision === 'requeue'
    const change = waits ? recordWaiting(status, now) : record(status, ttl)
    step.add({ changes: [change, ...(run?.logChange(change.ttl as number) ?? [])] })
  }

  /** Of a message whose actor was not started. */
  async #statusWithoutRun(message: Message): Promise<MessageStatus> {
    const { messageId, messageTimestamp: queuedAt } = message
    const { attempt, ...queued } = queuedStatus(message, undefined, this.#broker)
    const value = await readInTurn(this.#state, statusKey(messageId)).catch(() => undefined)
    return { ...queued, attempt, queuedAt, worker, ...decodeStatus(messageId, value), dueAt: undefined }
  }

  #settledStatus(status: MessageStatus, settlement: PendingSettlement, now: number): MessageStatus {
    const { decision, error, reason, delay = 0, maxAttempts = status.maxAttempts } = settlement
    if (decision === 'requeue') return requeued(status, delay > 0 ? now + delay : undefined)
    const failed = decision !== 'ack' && decision !== 'skip'
    const ends = decision !== 'retry'
    return {
      ...status,
      state: states[decision] ?? 'failed',
      maxAttempts,
      dueAt: ends ? undefined : now + delay,
      endedAt: ends ? now : undefined,
      error: failed ? describe(error, reason) : undefined,
      skipped: decision === 'skip' ? reason : undefined,
    }
  }

  /** The message is about to return to its queue, and no attempt is counted. */
  async requeue(message: Message): Promise<void> {
    const run = await this.#end(message)
    await run?.written
    if (!run?.holdsRecord) return
    run.status = requeued(run.status, undefined)
    try {
      if (run.lacksOlderLines) await this.#addOlderLines([run])
      await this.#state.apply(run.takeChanges(this.#broker.clock.now()))
    } catch (error) {
      this.#failure.failed(error)
    }
  }
}

function requeued(status: MessageStatus, dueAt: number | undefined): MessageStatus {
  const { messageId, actorName, queueName, attempt, maxAttempts, queuedAt } = status
  const state = dueAt === undefined ? 'queued' : 'delayed'
  return { state, messageId, actorName, queueName, attempt, maxAttempts, queuedAt, dueAt }
}

/** A failure as its result has it. */
function describe(error: Error | undefined, reason = ''): MessageStatus['error'] {
  return error ? { type: error.name, message: textOf(error) } : { type: 'DramatisError', message: cut(reason) }
}
