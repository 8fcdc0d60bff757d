import t from 'tap'
import { AgeLimit } from '../../middleware/age-limit.js'
import { openTestBroker } from '../support/test-broker.js'

for (const [what, own, actorOptions, plugin, runs] of [
  ['none by default', {}, {}, {}, true],
  ['null and 0 are no limit, on a message', { maxAge: null }, { maxAge: '1m' }, {}, true],
  ['null and 0 are no limit, on an actor', {}, { maxAge: 0 }, { maxAge: '1m' }, true],
  ['the plugin’s holds for actors that say nothing', {}, {}, { maxAge: '1m' }, false],
  ['the actor’s goes before the plugin’s', {}, { maxAge: '1d' }, { maxAge: '1m' }, true],
  ['the message’s goes before the actor’s', { maxAge: '1m' }, { maxAge: '1d' }, {}, false],
] as const) {
  t.test(`the age limit: ${what}`, async (t) => {
    const { actor, broker } = openTestBroker(t)
    broker.use(new AgeLimit(plugin))
    let ran = false
    const job = actor(
      async () => {
        ran = true
      },
      { actorName: 'job', ...actorOptions },
    )
    await job.sendWithOptions({ ...own, delay: '2m' })
    await broker.drain({ failOnDeadLetter: false })
    t.equal(ran, runs)
    t.equal((await broker.stats('default')).dead, runs ? 0 : 1)
  })
}

t.test('the age of a retry counts from the first send', async (t) => {
  const { actor, broker } = openTestBroker(t)
  let runs = 0
  const job = actor(
    async () => {
      runs++
      throw new Error('no')
    },
    { actorName: 'job', maxAge: '1h', minBackoff: '40m', jitter: false },
  )
  await job.send()
  await broker.advance('5h')
  t.equal(runs, 2)
  t.match((await broker.deadLetters('default')).letters, [{ reason: 'Message age limit exceeded' }])
})
