/**
 * The cost of a hook that no plugin implements: a chain of plugins without hooks compared with an empty chain.
 *
 * $ node bench/hooks.js
 */
import { Chain } from '../dist/lib/chain.js'

const calls = 20_000_000

function nanoseconds(chain) {
  const start = process.hrtime.bigint()
  for (let call = 0; call < calls; call++) chain.emit('beforeAck', undefined, undefined)
  return Number(process.hrtime.bigint() - start) / calls
}

const empty = new Chain()
const bystanders = new Chain()
for (let index = 0; index < 20; index++)
  bystanders.add(
    new (class Bystander {
      afterEnqueue() {}
    })(),
  )
const busy = new Chain()
busy.add({ beforeAck() {} })

const rounds = Array.from({ length: 7 }, () => [empty, bystanders, busy].map(nanoseconds))
const median = (column) =>
  rounds
    .map((round) => round[column])
    .sort((a, b) => a - b)[3]
    .toFixed(1)
console.log(
  `one emit: ${median(0)} ns in an empty chain, ${median(1)} ns with 20 plugins without that hook, ${median(2)} ns with one plugin that has it`,
)
