/**
 * Stores messages on conditions. Where queues and state are in one store, the condition is checked in the step that
 * stores the message. Elsewhere the state is changed first, for a short time, which is extended once the message is
 * stored: a crash between the two leaves nothing behind for long.
 */
import { BrokerError } from '../errors.js'
import { getLogger } from '../logger.js'
import type { Entry } from '../outcome.js'
import type { StateBackend } from './backend.js'
import { nothingToReplace, type Refusal, type StateChange } from './changes.js'
import type { InOrder } from './in-order.js'
import { type ConditionalEntry, partOf, recordsOf, type StoragePart } from './steps.js'
import type { Survivor } from './survivor.js'

/** What the broker brings. */
export interface ConditionalStore {
  /** Stores each message if its conditions hold; returns why not. Without it, state and queues are separate stores. */
  readonly storeIf: ((entries: readonly ConditionalEntry[]) => Promise<readonly (Refusal | undefined)[]>) | undefined
  readonly store: (entries: readonly Entry[]) => Promise<void>
  readonly state: StateBackend
  /** How long storing may take, in milliseconds. */
  readonly timeout: number
  /** The order of messages that would only refuse each other. */
  readonly inOrder: InOrder
}

/** A message on its way, and the parts of its step. */
export interface StorageStep {
  readonly entry: Entry
  parts: readonly StoragePart[]
}

/** How often a refused step is tried again, before something must be wrong. */
const maxAttempts = 100

/** Stores the messages; returns, for each, the message that its send stands for, if it isn't its own. */
export function storeConditionally(
  steps: readonly StorageStep[],
  store: ConditionalStore,
): Promise<readonly (Survivor | undefined)[]> {
  const keys = steps.flatMap(({ parts }) => parts.flatMap(({ orderKey }) => orderKey ?? []))
  return store.inOrder.run([...new Set(keys)], () => storeSteps(steps, store))
}

interface OpenStep {
  readonly step: StorageStep
  readonly index: number
  attempts: number
}

async function storeSteps(
  steps: readonly StorageStep[],
  store: ConditionalStore,
): Promise<readonly (Survivor | undefined)[]> {
  const survivors: (Survivor | undefined)[] = steps.map(() => undefined)
  let open = steps.map((step, index): OpenStep => ({ step, index, attempts: 0 }))
  while (open.length > 0) {
    const tried = firstOfEachKey(open)
    const entries = tried.map(({ step }) => toEntry(step))
    const refusals = await (store.storeIf ? store.storeIf(entries) : storeBeside(entries, store))
    const done = new Set<OpenStep>()
    for (const [at, one] of tried.entries()) {
      const refusal = refusals[at]
      const survivor = refusal && (await amend(one, refusal))
      if (survivor) survivors[one.index] = survivor
      if (survivor || !refusal) done.add(one)
    }
    open = open.filter((one) => !done.has(one))
  }
  for (const [index, { entry, parts }] of steps.entries()) {
    const { message } = parts.find((part) => part.entry)?.entry ?? entry
    if (message.messageId === entry.message.messageId) continue
    const hasPlace = message.option('composition') === entry.message.option('composition')
    survivors[index] ??= { messageId: message.messageId, deduplicated: 'replaced', hasPlace }
  }
  return survivors
}

/** The steps without those that have to wait for an earlier one. */
function firstOfEachKey(open: readonly OpenStep[]): readonly OpenStep[] {
  const taken = new Set<string>()
  return open.filter(({ step }) => {
    const keys = step.parts.flatMap(({ orderKey }) => orderKey ?? [])
    if (keys.some((key) => taken.has(key))) return false
    for (const key of keys) taken.add(key)
    return true
  })
}

function toEntry({ entry, parts }: StorageStep): ConditionalEntry {
  const stored = parts.find((part) => part.entry)?.entry ?? entry
  // What has no condition comes last: a refusal is then always about a change of a part.
  const changes = [...parts.flatMap((part) => part.changes), ...recordsOf(parts, stored)]
  return { entry: stored, changes, replaces: parts.find((part) => part.replaces)?.replaces }
}

/** Replaces the part that was refused, unless the send stands for another message. */
async function amend(open: OpenStep, refusal: Refusal): Promise<Survivor | undefined> {
  const { step } = open
  if (++open.attempts === maxAttempts)
    throw new BrokerError('The message could not be stored: its conditions keep changing.')
  const gone = refusal.index < 0
  const at = gone
    ? { part: step.parts.findIndex((part) => part.replaces), index: -1 }
    : partOf(step.parts, refusal.index)
  const next = await step.parts[at.part]?.refused?.({ ...refusal, index: at.index })
  if (!next) throw new BrokerError('The message was not stored: a condition of a plugin does not hold.')
  if ('deduplicated' in next) return next
  step.parts = step.parts.with(at.part, next)
  return undefined
}

async function storeBeside(
  entries: readonly ConditionalEntry[],
  { state, store, timeout }: ConditionalStore,
): Promise<readonly (Refusal | undefined)[]> {
  const refusals: (Refusal | undefined)[] = []
  for (const { entry, changes, replaces } of entries) {
    // A message in another store can't be replaced in one step with the state.
    if (replaces !== undefined) {
      refusals.push(nothingToReplace)
      continue
    }
    const refusal = await state.apply(changes.map((change) => withShortTtl(change, 2 * timeout + 5000)))
    refusals.push(refusal)
    if (refusal) continue
    try {
      await store([entry])
    } catch (error) {
      await state.apply(changes.flatMap(undo)).catch(() => {})
      throw error
    }
    await state.apply(changes.flatMap(extend)).catch((error) => {
      const { messageId, actorName } = entry.message
      getLogger().warn({ err: error, messageId, actorName }, 'A message was stored, but its lock will expire early')
    })
  }
  return refusals
}

/** A change that holds something. */
function isLock(change: StateChange): change is Extract<StateChange, { kind: 'set' }> & { value: string } {
  return change.kind === 'set' && change.expected === null && change.value !== null
}

function withShortTtl(change: StateChange, ttl: number): StateChange {
  return isLock(change) ? { ...change, ttl: Math.min(ttl, change.ttl ?? ttl) } : change
}

function undo(change: StateChange): StateChange[] {
  if (isLock(change)) return [{ ...change, value: null, expected: change.value }]
  const isRecord = change.kind === 'set' && change.expected === undefined
  return isRecord ? [{ ...change, value: null, ttl: undefined }] : []
}

function extend(change: StateChange): StateChange[] {
  return isLock(change) ? [{ ...change, expected: change.value }] : []
}
