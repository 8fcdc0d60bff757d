/** Threads that are blocked after an actor's first `await`: the one that blocks them pays, and nobody else. */
import t from 'tap'
import type { Message } from '../../lib/message.js'
import * as actors from '../support/actors/isolation.js'
import { began, broker, waitOptions, work } from '../support/isolation-worker.js'
import { failure, until } from '../support/memory.js'

/** An innocent message now and then, until the culprit is through. */
async function steadily(culprit: Message<unknown>): Promise<Message<number>[]> {
  const sent: Message<number>[] = []
  let over = false
  culprit.result(waitOptions).then(
    () => (over = true),
    () => (over = true),
  )
  while (!over) {
    sent.push(await actors.innocent.send(20))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return sent
}

for (const [name, send] of [
  ['computes', () => actors.computeLater.send(3000)],
  ['runs microtasks for ever', () => actors.microtasks.send()],
  ['begins to block just before its limit', () => actors.blockAtLast.send()],
] as const) {
  t.test(`an actor that ${name} after an await ends as TimeLimitExceeded; those beside it end well`, async (t) => {
    await work(t)
    const beside = await actors.patient.sendMany([[700], [700]])
    await until(() => began('patient') === 2)
    const culprit = await send()
    const innocents = await steadily(culprit)
    await t.rejects(culprit.result(waitOptions), failure('TimeLimitExceeded'))
    for (const message of [...beside, ...innocents]) await message.result(waitOptions)
    t.ok(began('culprit') <= 3, `the culprit began ${began('culprit')} times`)
    await broker.join('default', waitOptions)
    t.match(await broker.stats('default'), { dead: 1 }, 'nobody else pays')
  })
}

t.test('one that is blocked for a while only by another one has the time it lost, and nobody pays', async (t) => {
  await work(t)
  const beside = await actors.innocent.sendMany([[350], [350]])
  await until(() => began('innocent') === 3)
  const blocking = await actors.computeLater.send(330)
  for (const message of beside) t.type(await message.result(waitOptions), 'number')
  t.equal(await blocking.result(waitOptions), 'computed')
  t.equal(began('innocent'), 3, 'no thread was lost')
})
