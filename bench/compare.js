/**
 * Compares this checkout with another one, built, to see what a change costs: the suites `memory` and `redis` of
 * run.js in both, in turn, many short rounds. Prints the medians of the ratios within each round, which vary less than
 * the rates on a shared machine; below 1 in the columns of CPU means that this checkout needs less.
 *
 * $ node bench/compare.js ../before [memory] [redis] [--rounds 15] [--messages 50000] [--threads 0,1]
 */
import { execFileSync } from 'node:child_process'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startRedis } from './redis-server.js'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '15' },
    messages: { type: 'string', default: '50000' },
    threads: { type: 'string', default: '0,1' },
  },
})
const [other, ...suites] = positionals
if (!other) throw new Error('Which checkout? $ node bench/compare.js ../before')
const trees = [here, resolve(other)]

/** Figures of one run of a checkout. */
function run(tree, url, threads) {
  const output = execFileSync(process.execPath, [join(tree, 'bench/contenders/dramatis.js'), threads], {
    env: { ...process.env, DRAMATIS_URL: url, BENCH_MESSAGES: values.messages, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  return JSON.parse(output.trim().split('\n').at(-1))
}

const median = (figures) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]
const server = await startRedis()
const table = {}
for (const suite of suites.length > 0 ? suites : ['memory', 'redis']) {
  for (const threads of values.threads.split(',')) {
    const rounds = []
    for (let round = 0; round < Number(values.rounds); round++) {
      const figures = []
      // Each of the two is the first one in turn.
      for (const index of round % 2 ? [0, 1] : [1, 0]) {
        server.flush()
        figures[index] = run(trees[index], suite === 'redis' ? server.url : 'memory:', threads)
      }
      rounds.push(figures)
    }
    const row = {}
    for (const what of ['enqueued', 'processed']) {
      for (const figure of ['rate', 'cpu']) {
        const ratio = median(rounds.map(([mine, theirs]) => mine[what][figure] / theirs[what][figure]))
        row[`${what}, ${figure}`] = Number(ratio.toFixed(3))
      }
    }
    table[`${suite}, ${threads === '0' ? 'inline' : `threads: ${threads}`}`] = row
  }
}
await server.stop()
console.log(`this checkout ÷ ${other}: ${values.messages} messages, medians of ${values.rounds} rounds`)
console.table(table)
