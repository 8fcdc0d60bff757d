/** Actors of the tests in which processes are killed; and what they write outside of the broker. */
import { appendFileSync } from 'node:fs'
import { actor } from '../../../lib/index.js'
import { pause } from '../../../lib/time.js'
import { say } from '../say.js'

/** A member of a group. */
export const member = actor(
  async function member(milliseconds: number) {
    await pause(milliseconds)
    say('ran')
  },
  { maxRetries: 1000 },
)

/** What follows a group; no worker runs it, so that those that were sent can be counted. */
export const followUp = actor(function followUp(_group: number) {}, { queueName: 'follow-ups' })

/**
 * Messages with one key a series. Each run is a line of the file FAULTS_LEDGER, in the order of the runs, also of
 * processes that were killed.
 */
export const latest = actor(
  async function latest(series: string, number: number, text = '') {
    appendFileSync(process.env.FAULTS_LEDGER as string, `${series} ${number}${text}\n`)
    await pause(Math.random() * 5)
    say('ran')
  },
  { maxRetries: 1000, unique: { key: (series) => series } },
)
