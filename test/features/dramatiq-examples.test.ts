/** The examples of callbacks, composition and results in Dramatiq's cookbook, reference and examples, in our API. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { group } from '../../lib/composition/group.js'
import { pipeline } from '../../lib/composition/pipeline.js'
import { ResultFailure, ResultMissing, ResultTimeout, SkipMessage } from '../../lib/errors.js'
import { type BrokerStage, onEachBroker } from '../support/each-broker.js'
import { gate, until } from '../support/memory.js'

const pages: Record<string, string> = {
  '/one': 'the quick brown fox',
  '/two': 'the lazy dog',
  '/three': 'the end',
}

await onEachBroker((ask) => {
  // — Cookbook: callbacks ————————————————————————————————————————————————————————————————————————————————

  ask('cookbook, callbacks: an actor is sent when another succeeds or fails', async ({ t, broker, ...s }) => {
    const printed: unknown[] = []
    const identity = s.actor((x: number) => x, { actorName: 'identity' })
    const fail = s.actor(() => Promise.reject(new TypeError('no')), { actorName: 'fail', maxRetries: 0 })
    const printResult = s.actor(
      (message: { message_id: string }, result: number) => void printed.push([message.message_id, result]),
      { actorName: 'print_result' },
    )
    const printError = s.actor(
      (message: { message_id: string }, error: { type: string; message: string }) =>
        void printed.push([message.message_id, error]),
      { actorName: 'print_error' },
    )
    await s.work()
    const callbacks = { onSuccess: printResult, onFailure: printError }
    const first = await identity.sendWithOptions({ args: [42], ...callbacks })
    await broker.join('default')
    const second = await fail.sendWithOptions({ ...callbacks })
    await broker.join('default')
    t.same(printed, [
      [first.messageId, 42],
      [second.messageId, { type: 'TypeError', message: 'no' }],
    ])
  })

  // — Cookbook: composition ——————————————————————————————————————————————————————————————————————————————

  ask('cookbook, groups: results come in the order in which the messages were added', async ({ t, ...s }) => {
    const frobnicate = s.actor((x: number, y: number) => sleep(y).then(() => x * y), {
      actorName: 'frobnicate',
      storeResults: true,
    })
    await s.work()
    const g = await group([frobnicate.message(1, 20), frobnicate.message(2, 10), frobnicate.message(3, 1)]).run()
    t.equal(await g.wait({ timeout: '10s' }), 'completed')
    const results: number[] = []
    for await (const result of g.results({ timeout: '5s' })) results.push(result)
    t.same(results, [20, 20, 3])
  })

  ask('cookbook, pipelines: the words of a website are counted', async ({ t, ...s }) => {
    const uri = `${await serve(t)}/one`
    const lines: string[] = []
    const { getUriContents } = contents(s)
    const countWords = s.actor(
      (uri: string, text: string) => {
        const count = text.split(' ').length
        lines.push(`There are ${count} words at ${uri}.`)
        return count
      },
      { actorName: 'count_words', storeResults: true },
    )
    await s.work()
    const pipe = await pipeline([getUriContents.message(uri), countWords.message(uri)]).run()
    t.equal(await pipe.result({ timeout: '5s' }), 4)
    const piped = await getUriContents.message(uri).pipe(countWords.message(uri)).run()
    const results: unknown[] = []
    for await (const result of piped.results()) results.push(result)
    t.same(results, [pages['/one'], 4])
    t.same(lines, Array(2).fill(`There are 4 words at ${uri}.`))
  })

  ask('cookbook, pipelines: pipe_ignore drops one result, and not the next', async ({ t, ...s }) => {
    const launched: unknown[] = []
    const options = { storeResults: true } as const
    const bustCaches = s.actor(() => 'busted', { actorName: 'bust_caches', ...options })
    const prepareCodes = s.actor((...args: unknown[]) => [args.length, '0000'], {
      actorName: 'prepare_codes',
      ...options,
    })
    const launchMissiles = s.actor((codes: unknown[]) => void launched.push(codes), {
      actorName: 'launch_missiles',
      ...options,
    })
    await s.work()
    const pipe = bustCaches
      .message()
      .pipe(prepareCodes.messageWithOptions({ pipeIgnore: true }))
      .pipe(launchMissiles.message())
    t.equal(await (await pipe.run()).result({ timeout: '5s' }), null)
    t.same(launched, [[0, '0000']])
  })

  ask('examples/composition: a group of pipelines counts the words of many websites', async ({ t, ...s }) => {
    const url = await serve(t)
    const { getUriContents } = contents(s)
    const countWords = s.actor((text: string) => text.split(' ').length, {
      actorName: 'count_words',
      storeResults: true,
    })
    await s.work()
    const uris = Object.keys(pages).map((path) => url + path)
    const jobs = await group(uris.map((uri) => getUriContents.message(uri).pipe(countWords.message()))).run()
    t.same(await jobs.result(), [4, 3, 2])
  })

  ask('advanced, workflows: a pipeline of groups, which Dramatiq leaves to a package', async ({ t, ...s }) => {
    const url = await serve(t)
    const { getUriContents } = contents(s)
    type Frequencies = Record<string, number>
    const options = { storeResults: true } as const
    const frequencies = s.actor(
      (text: string) => {
        const counts: Frequencies = {}
        for (const word of text.split(' ')) counts[word] = (counts[word] ?? 0) + 1
        return counts
      },
      { actorName: 'frequencies', ...options },
    )
    const merge = s.actor(
      (all: Frequencies[]) => {
        const merged: Frequencies = {}
        for (const [word, count] of all.flatMap(Object.entries) as [string, number][])
          merged[word] = (merged[word] ?? 0) + count
        return merged
      },
      { actorName: 'merge', ...options },
    )
    const mostFrequent = s.actor((counts: Frequencies) => Object.entries(counts).sort((a, b) => b[1] - a[1])[0], {
      actorName: 'most_frequent',
      ...options,
    })
    await s.work()
    const uris = Object.keys(pages).map((path) => url + path)
    const pipe = pipeline([
      group(uris.map((uri) => getUriContents.message(uri).pipe(frequencies.message()))),
      merge.message(),
      mostFrequent.message(),
    ])
    t.same(await (await pipe.run()).result(), ['the', 3])
  })

  ask('reference, add_completion_callback: each callback runs once, after all jobs', async ({ t, broker, ...s }) => {
    const done: string[] = []
    const job = s.actor((name: string) => void done.push(name), { actorName: 'job' })
    const notify = s.actor((text: string) => void done.push(text), { actorName: 'notify' })
    await s.work({ concurrency: 1 })
    const jobs = group([job.message('a'), job.message('b'), job.message('c')])
    jobs.addCompletionCallback(notify.message('first callback'))
    jobs.addCompletionCallback(notify.message('second callback'))
    await jobs.run()
    t.equal(await jobs.wait(), 'completed')
    await broker.join('default')
    t.same(done, ['a', 'b', 'c', 'first callback', 'second callback'])
  })

  ask('reference, run(delay): a group and a pipeline begin later', async ({ t, broker, ...s }) => {
    const add = s.actor((x: number, y: number) => x + y, { actorName: 'add', storeResults: true })
    await group([add.message(1, 2), add.message(3, 4)]).run({ delay: 3_600_000 })
    await add.message(1, 2).pipe(add.message(3)).run({ delay: 3_600_000 })
    t.match(await broker.stats('default'), { ready: 0, delayed: 3 })
  })

  // — Cookbook: results ——————————————————————————————————————————————————————————————————————————————————

  ask('cookbook, results: a result is missing, times out, comes, or is a failure', async ({ t, broker, ...s }) => {
    const ending = gate()
    const options = { storeResults: true, maxRetries: 0 }
    const add = s.actor((x: number, y: number) => ending.opened.then(() => x + y), { actorName: 'add', ...options })
    const fail = s.actor(() => Promise.reject(new RangeError('no')), { actorName: 'fail', ...options })
    const skip = s.actor(
      (): number => {
        throw new SkipMessage()
      },
      { actorName: 'skip', ...options },
    )
    const expire = s.actor(() => 1, { actorName: 'expire', resultTtl: 1, ...options })
    await s.work()
    const message = await add.send(1, 2)
    await t.rejects(message.result({ timeout: 0 }), ResultMissing)
    await t.rejects(message.result({ timeout: 20 }), ResultTimeout)
    ending.open()
    t.equal(await message.result(), 3)
    await t.rejects((await fail.send()).result(), ResultFailure)
    t.equal(await (await skip.send()).result(), null, 'a skipped message has the result null')
    const expired = await expire.send()
    await broker.join('default')
    const isMissing = (error: unknown): boolean => error instanceof ResultMissing
    await until(() => expired.result({ timeout: 0 }).then(() => false, isMissing), 'its expiry')
  })

  ask('examples/results: the results of many messages are read one after the other', async ({ t, ...s }) => {
    const sleepThenAdd = s.actor((time: number, x: number, y: number) => sleep(time).then(() => x + y), {
      actorName: 'sleep_then_add',
      storeResults: true,
    })
    await s.work()
    const messages = await Promise.all([30, 10, 20].map((time) => sleepThenAdd.send(time, time, 1)))
    const results: number[] = []
    for (const message of messages) results.push(await message.result())
    t.same(results, [31, 11, 21])
  })
})

// — Internal helpers ———————————————————————————————————————————————————————————————————————————————————————

/** The actor of the examples that reads a website. */
function contents({ actor }: Pick<BrokerStage, 'actor'>) {
  const getUriContents = actor(async (uri: string) => (await fetch(uri)).text(), {
    actorName: 'get_uri_contents',
    storeResults: true,
  })
  return { getUriContents }
}

/** Serves the pages, and returns its address. */
async function serve(t: Test): Promise<string> {
  const server = createServer(({ url = '' }, response) => response.end(pages[url]))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
