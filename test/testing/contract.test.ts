/** The contract tests for brokers of others: any test runner can register them, and they notice what is wrong. */
import { AssertionError } from 'node:assert'
import t from 'tap'
import { MemoryBroker, MemoryResults } from '../../brokers/memory/index.js'
import type { QueueStats } from '../../lib/consumer.js'
import {
  type BrokerContractOptions,
  brokerContract,
  resultsContract,
  type TestFunction,
} from '../../testing/contract/index.js'

interface Registered {
  title: string
  skip: boolean
  run: () => Promise<void>
}

/** A runner that only keeps what is registered. */
function collect(contract: (test: TestFunction) => void): Registered[] {
  const all: Registered[] = []
  contract((title, { skip }, run) => all.push({ title, skip, run }))
  return all
}

const find = (all: Registered[], title: string): Registered => all.find((one) => one.title === title) as Registered

const memory = (more: Partial<BrokerContractOptions> = {}) =>
  collect((test) =>
    brokerContract({
      test,
      name: 'Broker',
      make: (options) => new MemoryBroker(options),
      lacks: ['priorities'],
      ...more,
    }),
  )

t.test('every test has a title of its own; what a broker lacks is skipped, and said', async (t) => {
  const all = memory()
  t.equal(new Set(all.map(({ title }) => title)).size, all.length)
  t.ok(find(all, 'Broker: higher priority first, then oldest first (has no priorities)').skip)
  t.notOk(find(all, 'Broker: oldest first').skip)
  const another = 'Broker: a message sent by one broker is taken by another (has no second process that reaches it)'
  t.ok(find(all, another).skip)
})

t.test('a broker that keeps the contract passes', async (t) => {
  await t.resolves(find(memory(), 'Broker: a send that resolved is stored').run())
  const results = collect((test) =>
    resultsContract({ test, name: 'Results', make: (options) => new MemoryResults(options) }),
  )
  await t.resolves(find(results, 'Results: a stored result can be read any number of times').run())
})

t.test('a broker that breaks it fails, and is closed all the same', async (t) => {
  class Uncounted extends MemoryBroker {
    protected override async readStats(): Promise<QueueStats> {
      return { ready: 0, delayed: 0, inFlight: 0, dead: 0 }
    }
  }
  const made: MemoryBroker[] = []
  const calls: string[] = []
  const all = memory({
    make(options, test) {
      test.teardown(() => calls.push(`closed: ${made[0]?.closed}`))
      made.push(new Uncounted(options))
      return made[0] as MemoryBroker
    },
  })
  await t.rejects(find(all, 'Broker: a send that resolved is stored').run(), AssertionError)
  t.same(calls, ['closed: true'])
})
