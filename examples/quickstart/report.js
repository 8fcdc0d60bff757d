/** The output: a progress bar (lines, if the output isn't a terminal), and a table at the end. */
import { SingleBar } from 'cli-progress'
import Table from 'cli-table3'

export class Progress {
  #done = 0
  #total
  #bar

  constructor(total) {
    this.#total = total
    if (!process.stdout.isTTY) return
    this.#bar = new SingleBar({ format: 'Working {bar} {value}/{total} messages', barsize: 40, linewrap: true })
    this.#bar.start(total, 0)
  }

  advance() {
    this.#done++
    if (this.#bar) this.#bar.update(this.#done)
    else if (this.#done % 200 === 0 || this.#done === this.#total) console.log(`${this.#done}/${this.#total} messages`)
  }

  stop() {
    this.#bar?.stop()
  }
}

/** Prints the results: the texts by kind, the outcome of the two special messages, and the total time. */
export function report({ texts, results, attempts, outcome, seconds }) {
  const table = new Table({
    head: ['Kind', 'Files', 'Words', 'Size', 'Gzipped to', 'Frequent words'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  })
  for (const [kind, found] of groupByKind(texts, results)) {
    const size = sum(found, 'size')
    const ratio = sum(found, 'compressed') / size
    table.push([
      kind,
      found.length,
      sum(found, 'words').toLocaleString('en'),
      `${Math.round(size / 1024).toLocaleString('en')} KiB`,
      `${Math.round(100 * ratio)} %`,
      mostFrequent(found, 4).join(', '),
    ])
  }
  console.log(`\n${table}\n`)
  console.log(`failTwice    failed twice and was retried: done at attempt ${attempts}`)
  console.log(`neverReturn  was stopped by its time limit: ${outcome.type}, ${outcome.reason}`)
  const count = results.length + 2
  console.log(`\n${count} messages in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`)
}

function groupByKind(texts, results) {
  const groups = new Map()
  for (const [index, { kind }] of texts.entries()) {
    if (!groups.has(kind)) groups.set(kind, [])
    groups.get(kind).push(results[index])
  }
  return groups
}

function sum(results, field) {
  return results.reduce((total, result) => total + result[field], 0)
}

function mostFrequent(results, most) {
  const counts = new Map()
  for (const { frequent } of results) {
    for (const [word, count] of frequent) counts.set(word, (counts.get(word) ?? 0) + count)
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([word]) => word)
}
