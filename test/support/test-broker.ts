/** A test broker, and actors that belong to it whatever the default broker is. */
import type { Test } from 'tap'
import { actor } from '../../lib/actor.js'
import type { ActorOptions } from '../../lib/actor-options.js'
import { current } from '../../lib/current.js'
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

export class Refused extends Error {}

/** An actor that fails this many times, and then returns its argument and the number of the attempt. */
export function flaky({ actor }: Pick<OpenTestBroker, 'actor'>, failures: number, options: object = {}) {
  return actor(
    async (name: string) => {
      if (failures-- > 0) throw new Refused(`${name} is refused`)
      return { name, attempt: Number(current().message.options.retries ?? 0) + 1 }
    },
    { actorName: `flaky${failures}`, jitter: false, ...options },
  )
}
