/**
 * The work. Each of these functions becomes an actor: it can be called like any function, and `.send()` lets a worker
 * in another process run it.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { actor, current } from 'dramatis'

/** CPU-bound work: counts the words of a text file, and measures how well it can be compressed. */
export const readText = actor(
  function readText(path) {
    const bytes = readFileSync(path)
    const words = bytes.toString().match(/\p{L}+/gu) ?? []
    return {
      size: bytes.length,
      compressed: gzipSync(bytes, { level: 9 }).length,
      words: words.length,
      frequent: mostFrequent(words, 20),
    }
  },
  // The producer waits for the result, so it is stored. Most actors need no result.
  { storeResults: true },
)

/** Fails twice, then succeeds: a failed message is retried, after a wait that doubles each time. */
export const failTwice = actor(
  function failTwice() {
    const { retries = 0 } = current().message.options
    if (retries < 2) throw new Error(`Attempt ${retries + 1} fails, as it should.`)
    return { attempts: retries + 1 }
  },
  { storeResults: true, maxRetries: 5, minBackoff: '100ms' },
)

/** Never returns. Only terminating its thread can stop this loop, so its time limit does that. */
export const neverReturn = actor(
  function neverReturn() {
    for (;;);
  },
  { storeResults: true, maxRetries: 0, timeLimit: '1s' },
)

function mostFrequent(words, most) {
  const counts = new Map()
  for (const word of words) {
    if (word.length > 4) counts.set(word.toLowerCase(), (counts.get(word.toLowerCase()) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, most)
}
