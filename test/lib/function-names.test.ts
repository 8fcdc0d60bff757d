/** Names that a bundler may have changed: what is detected, and which hint is given. */
import t from 'tap'
import { actor } from '../../lib/actor.js'
import { ActorNotFound, InvalidName } from '../../lib/errors.js'
import { findRenamed, namesAreKept } from '../../lib/function-names.js'

t.test('in source files functions have their original names', async (t) => {
  t.equal(namesAreKept, true)
})

t.test('a name changed by a bundler is recognised, in both directions', async (t) => {
  for (const [written, made] of [
    ['work', 'work2'],
    ['work', 'work$1'],
    ['work', '_work'],
    ['sendEmail', 'sendEmail_1'],
  ] as const) {
    t.equal(findRenamed(written, ['other', made]), made, `${written} → ${made}`)
    t.equal(findRenamed(made, ['other', written]), written, `${made} → ${written}`)
  }
  t.equal(findRenamed('work', ['worker', 'Work', 'rework', 'work']), undefined)
  t.equal(findRenamed('work', []), undefined)
})

t.test('a message for an actor that seems to exist under another name: cause and solution', async (t) => {
  const { message } = new ActorNotFound('work', ['mail', 'work2'])
  t.match(message, /^No actor named "work"; there is "work2"\. A bundler may have renamed the function/)
  t.match(message, /keepNames in esbuild, .* actor\(fn, \{ actorName: … \}\)\.$/)
  t.match(new ActorNotFound('work', ['mail']).message, /^No actor named "work"; import its module before/)
})

t.test('a function without a name: cause and solution', async (t) => {
  t.throws(() => actor(() => 1), { message: /Name the function, or give actorName\. If a bundler .*keepNames/ })
  t.throws(() => actor(() => 1), InvalidName)
})
