import t from 'tap'
import { packError, unpackError } from '../../lib/error-data.js'
import { markClasses, markOf } from '../../lib/error-marks.js'
import * as errors from '../../lib/errors.js'
import { summary, textOf, toError, traceback } from '../../lib/failure.js'
import { classNames, cut } from '../../lib/thrown.js'

const crossed = (thrown: unknown): Error => unpackError(structuredClone(packError(thrown)))

t.test('a text is truncated by its bytes, splits no character, and states how much is missing', async (t) => {
  t.equal(cut('x'.repeat(8192)), 'x'.repeat(8192))
  t.equal(cut('x'.repeat(8193)), `${'x'.repeat(8192)}… (1 more characters)`)
  t.equal(cut('ü'.repeat(5), 5), 'üü… (3 more characters)')
  t.equal(cut('😀'.repeat(3), 9), '😀😀… (2 more characters)')
  for (let most = 1; most < 14; most++) t.notMatch(cut('a😀b😀c', most), /\p{Cs}/u, `${most} bytes`)
  t.match(cut('a\ud83d'.repeat(9000)), /more characters\)$/, 'unpaired surrogates are allowed')
  t.equal(cut(''), '')
  const once = cut('x'.repeat(9000))
  t.equal(cut(once), once, 'a truncated text is not truncated again')
  t.equal(cut(once, 100), `${'x'.repeat(100)}… (8900 more characters)`, 'the total of missing characters is stated')
})

t.test('an error is copied with all of its plain data', async (t) => {
  const error = Object.assign(new RangeError('no', { cause: new Error('inner') }), {
    code: 5,
    none: undefined,
    big: 1n,
    deep: { list: [1, { a: null }], fn() {}, map: new Map([[1, 2]]) },
    evil: JSON.parse('{ "__proto__": { "polluted": true } }'),
  })
  const copy = crossed(error) as Error & Record<string, unknown>
  t.ok(copy instanceof RangeError)
  t.equal(copy.stack, error.stack)
  t.match(copy, { message: 'no', code: 5, big: 1n, deep: { list: [1, { a: null }] }, cause: { message: 'inner' } })
  t.notOk(Object.keys(copy).includes('cause'), 'a property that was not enumerable still isn’t')
  t.same(Object.keys(copy.deep as object), ['list'])
  t.equal((copy.evil as { polluted?: boolean }).polluted, undefined)
})

t.test('the name of a class that can’t be copied is kept on the error and in its prototype chain', async (t) => {
  class Refused extends Error {}
  class CardRefused extends Refused {}
  const copy = crossed(new CardRefused('no'))
  t.equal(copy.name, 'CardRefused')
  t.equal(copy.constructor.name, 'CardRefused')
  t.same(classNames(copy), ['CardRefused', 'Refused', 'Error'])
  t.equal(crossed(new CardRefused('no')).constructor, copy.constructor, 'one class for all errors of a name')
})

t.test(
  'every error class of dramatis has a mark, is copied as itself, and is recognised by another copy of the package',
  async (t) => {
    const copy = (await import(`../../lib/errors.js?${'another'}`)) as typeof errors
    t.not(copy.SkipMessage, errors.SkipMessage)
    markClasses(copy)
    for (const [name, kind] of Object.entries(errors)) {
      t.equal(markOf(kind.prototype), name)
      const theirs = Object.create(copy[name as keyof typeof errors].prototype) as Error
      t.ok(theirs instanceof kind, name)
      t.equal(theirs.name, name)
      const back = crossed(Object.assign(Object.create(kind.prototype), { stack: 'x' }))
      t.equal(Object.getPrototypeOf(back), kind.prototype, name)
    }
    t.notOk(new copy.Retry() instanceof errors.SkipMessage)
    class MyRetry extends copy.Retry {}
    t.ok(new MyRetry() instanceof errors.Retry)
    t.notOk(new errors.Retry() instanceof MyRetry)
    t.equal(new MyRetry().name, 'MyRetry')
  },
)

t.test('a dramatis error with a long message is truncated like any other, and keeps its fields', async (t) => {
  const again = new errors.Retry({ message: 'x'.repeat(1e5), delay: '5s' })
  const skip = new errors.SkipMessage('x'.repeat(1e5), { fail: true })
  for (const read of [toError, crossed]) {
    t.match(read(again), { name: 'Retry', delay: '5s', message: /^x{8192}… \(91808 more characters\)$/ })
    t.match(read(skip), { name: 'SkipMessage', fail: true })
    t.ok(read(again) instanceof errors.Retry && read(skip) instanceof errors.SkipMessage)
  }
})

t.test('another class of the same name is not recognised', async (t) => {
  class SkipMessage extends Error {}
  for (const error of [new SkipMessage('no'), crossed(new SkipMessage('no'))]) {
    t.notOk(error instanceof errors.SkipMessage)
    t.notOk(error instanceof errors.DramatisError)
    t.equal(toError(error).name, 'SkipMessage')
  }
})

t.test('a summary doesn’t repeat a cause that the message contains', async (t) => {
  const cause = new Error('disk full')
  t.equal(summary(new TypeError(`could not write: disk full`, { cause })), 'TypeError: could not write: disk full')
  t.equal(
    summary(new TypeError(`could not write`, { cause })),
    'TypeError: could not write (caused by Error: disk full)',
  )
  t.equal(textOf(new AggregateError([cause, new Error('no')])), 'disk full; no')
  const many = new AggregateError(Array.from({ length: 50 }, (_, index) => new Error(`no. ${index}`)))
  const long = toError(new Error('x'.repeat(40e6), { cause }))
  t.match(summary(long), /^Error: x{6900,}… \(3999\d{4} more characters\) \(caused by Error: disk full\)$/)
  t.match(textOf(many), /^no\. 0; .*no\. 9; and 40 more$/)
})

t.test('a traceback of many, of long or of no frames ends with the error, and never exceeds 8 KiB', async (t) => {
  const error = toError(new Error('y'.repeat(1e6)))
  error.stack = `Error: y\n${`    at ${'deep/'.repeat(40)}file.js:1:1\n`.repeat(200)}`
  error.cause = new AggregateError(Array.from({ length: 10 }, () => new Error('z'.repeat(9000))))
  const text = traceback(error)
  t.ok(Buffer.byteLength(text) <= 8192, `${Buffer.byteLength(text)} bytes`)
  t.match(text, /^Traceback \(most recent call first\):\n {4}at /)
  t.match(text, /more frames\)\nCaused by AggregateError: zz.*\nError: y{2000,}… \(\d+ more characters\)( \(.*\))?\n$/)
  error.stack = ''
  t.match(traceback(error), /^Traceback \(most recent call first\):\nCaused by/)
})
