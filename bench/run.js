/**
 * Compares dramatis with bare loops and its peers. Each contender runs in a separate process, all in turn, for several
 * rounds. Prints medians, and the ratios within each round.
 *
 * - `memory`, `sqlite`, `redis`: messages that do nothing are sent, and then processed
 * - `idle`: one message at a time to an idle worker of a new process, with Redis; `cold` are its first 400 messages
 * - `isolated`: messages that do nothing on two threads, with Redis, compared with BullMQ's sandboxed processors
 * - `cpu`: messages of 5 ms of work on two threads, with Redis, compared with two bare threads with the same work
 * - `features`: all of the following
 * - `groups`: a group of 10,000 messages that do nothing, from `run()` until its callback starts: the first one of a new
 *   process, and those after it. Compared with as many messages without a group, BullMQ's flows and Celery's chords
 * - `unique`: 10,000 unique sends of 100 keys, `'skip'` and `'replace'` with a delay, compared with plain sends and with
 *   BullMQ's deduplication
 * - the programs in `features/`, by their names
 *
 * $ npm run bench -- [memory] [sqlite] [redis] [idle] [isolated] [cpu] [features] [--rounds 5] [--messages 200000]
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { calibrate } from './contenders/burn.js'
import { namesOf, programOf, suites } from './suites.js'

const here = dirname(fileURLToPath(import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, messages: { type: 'string' } },
})

if (!existsSync(join(here, 'node_modules'))) {
  console.log('Installing the peers …')
  execFileSync('npm', ['install', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
}

const median = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]

for (const name of positionals.length > 0 ? positionals.flatMap(namesOf) : Object.keys(suites)) {
  const program = programOf(name)
  if (program) execFileSync(process.execPath, program, { stdio: 'inherit' })
  else await compare(name)
}

async function compare(name) {
  const suite = suites[name]
  const messages = values.messages ?? suite.messages ?? 200_000
  const roundsOfWork = suite.work ? calibrate(suite.work) : 0
  const server = await suite.server?.()
  const rounds = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const figures = {}
    for (const [title, command] of Object.entries(suite.contenders)) {
      const place = suite.prepare({ server })
      const output = execFileSync(process.execPath, command(place), {
        env: {
          ...process.env,
          DRAMATIS_URL: place.url,
          BENCH_MESSAGES: String(messages),
          BENCH_WORK: String(roundsOfWork),
          BENCH_LATENCY: server ? '1' : '',
          NODE_ENV: 'production',
        },
        stdio: ['ignore', 'pipe', 'inherit'],
        encoding: 'utf8',
      })
      place.clean?.()
      figures[title] = JSON.parse(output.trim().split('\n').at(-1))
    }
    rounds.push(figures)
  }
  await server?.stop()
  console.log(`\n${name}: ${messages} messages, medians of ${values.rounds} rounds`)
  const titles = Object.keys(suite.contenders).filter((title) => isThere(title, rounds))
  console.table(Object.fromEntries(titles.map((title) => [title, row(rounds, title, suite)])))
}

/** Whether a contender could be run. */
function isThere(title, [figures]) {
  const { skipped } = figures[title]
  if (skipped) console.log(`${title}: skipped, ${skipped}`)
  return !skipped
}

/** Rates per second, times in milliseconds, and their ratios to those of the others, within each round. */
function row(rounds, title, { baseline = [], rates = ['enqueued', 'processed'] }) {
  const cells = {}
  const [first] = rounds
  const compareWith = (what, read) => {
    for (const other of title.startsWith('dramatis') ? baseline : []) {
      if (other === title || read(first[other]) === undefined) continue
      cells[`${what} ÷ ${other}`] = round2(median(rounds.map((round) => read(round[title]) / read(round[other]))))
    }
  }
  for (const what of rates) {
    if (!first[title][what]) continue
    cells[`${what}/s`] = median(rounds.map((round) => round[title][what].rate))
    cells[`${what}, µs CPU`] = round2(median(rounds.map((round) => round[title][what].cpu)))
    compareWith(what, (figures) => figures[what]?.rate)
  }
  for (const name of Object.keys(first[title].times ?? {})) {
    cells[`${name}, ms`] = round2(median(rounds.map((round) => round[title].times[name])))
    compareWith(name, (figures) => figures.times?.[name])
  }
  for (const name of Object.keys(first[title].latency ?? {}))
    cells[`start ${name}, ms`] = round2(median(rounds.map((round) => round[title].latency[name])))
  return cells
}

function round2(number) {
  return Number(number.toFixed(2))
}
