/** An actor that a thread runs, for the tests of the test broker. */
import { isMainThread } from 'node:worker_threads'
import { actor } from '../../../lib/index.js'

/** Sends to itself this many times. Returns whether it ran on a thread. */
export const onThread = actor(
  async (times: number): Promise<boolean> => {
    if (times > 0) await onThread.send(times - 1)
    return !isMainThread
  },
  { actorName: 'onThread', storeResults: true },
)
