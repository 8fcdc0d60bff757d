/**
 * A group whose last member ran in Python: Python counts at the barrier and sends the callbacks, but records nothing. So
 * the first callback that runs here ends the group.
 */
import type { Broker } from '../broker.js'
import { SkipMessage } from '../errors.js'
import { join } from '../state/steps.js'
import { endOfGroup, following, setOutcome } from './arriving.js'
import { endOutside } from './end-outside.js'
import { type GroupOutcome, type GroupRecord, groupKeys, groupTtl, openRecords } from './group-record.js'

/**
 * Ends a group before one of the callbacks runs that Python has sent.
 * @throws {SkipMessage} if the group has failed, or if a worker of ours has sent its callbacks.
 */
export async function endElsewhere(id: string, broker: Broker): Promise<void> {
  const outcome = (await readOutcome(id, broker)) ?? (await end(id, broker))
  // Nothing is known of a group that ended long ago: its callbacks run, as they would in Python.
  if (!outcome || (outcome.state === 'completed' && outcome.by === undefined)) return
  throw new SkipMessage(
    outcome.state === 'completed' ? 'This callback of the group was sent before.' : `The group has ${outcome.state}.`,
  )
}

async function readOutcome(id: string, broker: Broker): Promise<GroupOutcome | undefined> {
  const [text] = await broker.stateFor('A group').read([groupKeys.outcome(id)])
  return text === undefined ? undefined : JSON.parse(text)
}

/** Thrown to leave a step: another callback has ended the group meanwhile. */
const endedMeanwhile = new Error('The group has ended.')

async function end(id: string, broker: Broker): Promise<GroupOutcome | undefined> {
  const state = broker.stateFor('A group')
  const [text] = await state.read([groupKeys.record(id)])
  if (text === undefined) return undefined
  const record = JSON.parse(text) as GroupRecord
  const failed = await state.size(groupKeys.failed(id))
  const succeeded = failed === 0 || record.on_child_failure === 'continue'
  const at = broker.clock.now()
  const outcome = { state: succeeded ? 'completed' : 'failed', failed, at } as const
  const part = {
    changes: [
      setOutcome(id, outcome),
      { kind: 'set', key: groupKeys.record(id), value: text, ttl: groupTtl.ended } as const,
      ...(succeeded ? openRecords(record.next?.records ?? [], at) : []),
    ],
    // Python has sent the callbacks.
    sends: following({ ...record, callbacks: [] }, succeeded, undefined),
    refused(): never {
      throw endedMeanwhile
    },
  }
  const around = succeeded && record.next ? [] : endOfGroup(id, record, succeeded, broker)
  try {
    await endOutside(broker, join([part, ...around]))
    return outcome
  } catch (error) {
    if (error === endedMeanwhile) return readOutcome(id, broker)
    throw error
  }
}
