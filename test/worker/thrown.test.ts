import { pino } from 'pino'
import t, { type Test } from 'tap'
import { MemoryBroker } from '../../brokers/memory/index.js'
import { setBroker } from '../../lib/default-broker.js'
import { ResultFailure } from '../../lib/errors.js'
import { setLogger } from '../../lib/logger.js'
import { Worker } from '../../lib/worker/worker.js'
import * as actors from '../support/actors/throwing.js'

// Both runners sit the same examination, on one broker: actors bind once.
const broker = new MemoryBroker()
setBroker(broker)
t.teardown(() => broker.close())

/** What a production log would hold: pino's own idea of an error, as lines. */
let lines: string[] = []
setLogger(pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }))

const modules = [new URL('../support/actors/throwing.ts', import.meta.url).href]
const waitOptions = { timeout: '30s' } as const

async function failureOf(message: { result(options: object): Promise<unknown> }): Promise<ResultFailure> {
  try {
    await message.result(waitOptions)
  } catch (error) {
    if (error instanceof ResultFailure) return error
    throw error
  }
  throw new Error('It did not fail.')
}

/** What was kept of a failure, and what was seen of it. */
async function fling(
  what: string,
): Promise<{ failure: ResultFailure; seen: Error; reason: string; traceback: string }> {
  actors.seen.length = 0
  const failure = await failureOf(await actors.fling.send(what))
  await broker.join('default', waitOptions)
  const letter = (await broker.deadLetters('default')).letters.at(-1)
  const [seen] = actors.seen
  if (!letter || !seen) throw new Error(`Nothing is left of ${what}.`)
  return { failure, seen, reason: letter.reason, traceback: letter.traceback ?? '' }
}

type Case = [what: string, seen: object, reason: RegExp, more?: { result?: object; traceback?: RegExp }]

const cases: Case[] = [
  ['nameless', { name: 'PaymentRefused' }, /^PaymentRefused: too large \(after 1 retry\)$/],
  ['derived', { name: 'StolenCard' }, /^StolenCard: no\. 1/],
  ['coded', { name: 'card.refused' }, /^card\.refused: no\. 2/],
  [
    'object',
    { name: 'Error', status: 404, body: { text: 'gone' } },
    /^Error: .*\{ status: 404, body: \{ text: 'gone' \} \}/,
  ],
  ['errorLike', { name: 'Refused', message: 'in a word', code: 7 }, /^Refused: in a word/],
  ['text', { name: 'Error', message: 'just a text' }, /^Error: just a text/],
  ['getter', { name: 'HTTPError', status: 418 }, /^HTTPError: status 418/],
  [
    'axios',
    {
      code: 'ERR_BAD_RESPONSE',
      response: { status: 503, headers: { 'retry-after': '5' }, data: { errors: [{ code: 'busy' }] } },
      when: new Date(0),
    },
    /^Error: Request failed/,
  ],
  ['fetch', { response: { status: 429, ok: false } }, /^Error: HTTP/],
  [
    'refused',
    { errors: [{ name: 'Error' }, { code: 'ECONNREFUSED' }] },
    /^AggregateError: connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127\.0\.0\.1:5432/,
    {
      result: { type: 'AggregateError', reason: 'connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432' },
    },
  ],
  [
    'aggregate',
    { errors: [{ name: 'TypeError', message: 'one' }, 'two'] },
    /^AggregateError: both failed \(one; two\)/,
    { traceback: /Inner error: one\nInner error: two\nAggregateError: both failed\n$/ },
  ],
  [
    'cause',
    { cause: { message: 'outer', cause: { name: 'RangeError' } } },
    /^TypeError: fetch failed \(caused by Error: outer\) \(caused by RangeError: inner\)/,
    { traceback: /Caused by Error: outer\nCaused by RangeError: inner\nTypeError: fetch failed\n$/ },
  ],
  ['oddCause', { cause: { code: 'E5', list: [1] } }, /^Error: with a cause/],
  ['realm', { name: 'TypeError', code: 'E1' }, /^TypeError: elsewhere/],
  ['skip', { name: 'SkipMessage' }, /^SkipMessage: not ours/],
  ['notFound', { name: 'ActorNotFound' }, /^ActorNotFound: not ours \(after 1 retry\)/],
  ['domException', { name: 'TimeoutError', code: 23 }, /^TimeoutError: stopped/],
]

for (const threads of [0, 1]) {
  t.test(threads === 0 ? 'inline' : 'on threads', async (t) => {
    const worker = new Worker(broker, { threads, concurrency: 4, modules })
    t.teardown(async () => {
      await worker.stop({ timeout: 0 })
      await broker.flushAll()
    })
    await worker.start()

    t.test('what an error says of itself is seen and kept', async (t) => {
      for (const [what, expected, reason, { result = {}, traceback = / {4}at .*throwing\.ts/ } = {}] of cases) {
        const kept = await fling(what)
        t.match(kept.seen, expected, what)
        t.ok(kept.seen instanceof Error, what)
        t.match(kept.reason, reason)
        t.match(kept.failure, { type: kept.seen.name, traceback: kept.traceback, ...result })
        if (what !== 'object' && what !== 'text' && what !== 'errorLike') t.match(kept.traceback, traceback, what)
        t.equal(actors.seen.length, 2, `${what} was retried once`)
      }
      t.ok(
        (await fling('realm')).seen instanceof TypeError,
        'an error of another realm is one of the class of this one',
      )
    })

    t.test('an error that can’t be read is a failure like any other, and no thread ends with it', async (t) => {
      for (const what of Object.keys(actors.unreadable)) {
        await t.test(what, async (t) => {
          const { seen, reason, failure, traceback } = await fling(what)
          for (const text of [seen.name, seen.message, seen.stack, reason, failure.type, failure.reason]) {
            t.type(text, 'string')
          }
          t.equal(actors.seen.length, 2, 'Retries counted it')
          t.ok(reason.length < 9000 && traceback.length < 9000 && failure.reason.length < 9000)
          t.equal(
            (await failureOf(await actors.flingAtOnce.send(what))).type,
            failure.type,
            'nor does it without a promise',
          )
        })
      }
      t.equal(await (await actors.fine.send()).result(waitOptions), 'fine')
    })

    t.test('ours are known by their mark, and those derived from them', async (t) => {
      for (const own of [true, false]) t.equal(await (await actors.skip.send(own)).result(waitOptions), null)
      t.match(await failureOf(await actors.retryOnce.send()), { type: 'Retry', reason: 'again' })
    })

    t.test('throws knows the classes below a class by their names', async (t) => {
      const { type } = await failureOf(await actors.refusePayment.send())
      t.equal(type, 'StolenCard')
      t.match((await broker.deadLetters('default')).letters.at(-1)?.reason, /not to be retried/)
    })

    t.test('the log holds each of them, cut, with its class', async (t: Test) => {
      for (const line of lines) if (line.length > 60_000) t.fail(`${line.length} characters in a line of the log`)
      const logged = lines.map((line) => JSON.parse(line) as { msg: string; err?: { type: string; status?: number } })
      t.notOk(logged.some(({ msg }) => /thread was lost|could not be settled/.test(msg)))
      const types = new Set(logged.map(({ err }) => err?.type))
      for (const type of ['PaymentRefused', 'StolenCard', 'AggregateError', 'HTTPError']) t.ok(types.has(type), type)
      t.ok(logged.some(({ err }) => err?.status === 404))
      lines = []
    })
  })
}

t.test('what is thrown beside an actor’s promise ends its thread, and fails its message with that', async (t) => {
  const worker = new Worker(broker, { threads: 1, concurrency: 1, modules })
  t.teardown(async () => {
    await worker.stop({ timeout: 0 })
    await broker.flushAll()
  })
  await worker.start()
  for (const [what, type, reason] of [
    ['a Proxy', 'Error', /no Error was thrown: Proxy/],
    ['nameless', 'PaymentRefused', /^too large$/],
  ] as const) {
    for (const how of ['promise', 'timer'] as const) {
      t.match(await failureOf(await actors.flingAside.send(what, how)), { type, reason }, `${what} from a ${how}`)
    }
  }
})
