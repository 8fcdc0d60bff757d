/** Actors that report their progress: imported by the test and, again, by each of its threads. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { actor, batchActor, current } from '../../../lib/index.js'

const tracked = { trackStatus: true, maxRetries: 1, minBackoff: 1, maxBackoff: 1, jitter: false } as const

/** Waits until the test has created a file. */
async function opened(gate: string): Promise<void> {
  while (!existsSync(gate)) await sleep(5)
}

/** Reports half, waits, and then reports the rest right before it returns. */
export const halves = actor(
  async (gate: string) => {
    current().progress(0.5, { note: 'half' })
    current().log('half done')
    await opened(gate)
    current().progress(1)
    current().log('all done')
  },
  { ...tracked, actorName: 'halves' },
)

/** Reports much more often than is stored, and never lets the event loop turn. */
export const busy = actor(
  (milliseconds: number) => {
    const end = Date.now() + milliseconds
    let reports = 0
    for (let now = Date.now(); now < end; now = Date.now()) {
      reports++
      current().progress(Math.max(0, 1 - (end - now) / milliseconds))
    }
    current().progress(1, { note: `${reports}` })
  },
  { ...tracked, actorName: 'busy' },
)

const tried = new Set<string>()

/** Fails once, and then succeeds; or fails each time. */
export const flaky = actor(
  async (times: number) => {
    const { messageId } = current().message
    const attempt = tried.has(messageId) ? 2 : 1
    tried.add(messageId)
    current().log(`attempt ${attempt}`)
    current().progress(attempt / 10)
    if (attempt <= times) throw new RangeError(`attempt ${attempt}`)
  },
  { ...tracked, actorName: 'flaky', storeResults: true },
)

export const talkative = actor(
  (lines: number, length: number) => {
    for (let line = 1; line <= lines; line++) current().log(`${line} ${'x'.repeat(length)}`)
  },
  { ...tracked, actorName: 'talkative' },
)

/** Ignores its signal, so that its thread is terminated. */
export const endless = actor(
  () => {
    current().progress(0.25)
    for (;;);
  },
  { ...tracked, actorName: 'endless', maxRetries: 0, timeLimit: 300 },
)

export const untracked = actor(
  async () => {
    current().progress(0.5)
    current().log('unheard')
  },
  { actorName: 'untracked' },
)

export const together = batchActor(
  async (items: number[]) => {
    current().progress(0.5, { note: `${items.length} items` })
    current().log('together')
  },
  { trackStatus: true, actorName: 'together', size: 2, linger: '1h' },
)

export const all = [halves, busy, flaky, talkative, endless, untracked, together]
