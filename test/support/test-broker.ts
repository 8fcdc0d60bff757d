/** A test broker, and actors that belong to it whatever the default broker is. */
import type { Test } from 'tap'
import { actor } from '../../lib/actor.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import { type TestBroker, type TestBrokerOptions, testBroker } from '../../testing/index.js'
import { captureLog } from './log.js'

export interface OpenTestBroker {
  broker: TestBroker
  log: ReturnType<typeof captureLog>
  /** Declares an actor on the broker. */
  actor: typeof actor
}

/** The broker is closed when the test ends. */
export function openTestBroker(t: Test, options: TestBrokerOptions = {}): OpenTestBroker {
  const log = captureLog()
  const broker = testBroker({ setDefault: false, ...options })
  t.teardown(() => broker.close())
  return {
    broker,
    log,
    actor: ((fn: () => void, own?: ActorOptions) => actor<typeof fn>(fn, { broker, ...own })) as typeof actor,
  }
}
