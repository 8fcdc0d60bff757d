/**
 * What was captured from Python's Dramatiq; every file has `what` and `cases`.
 */
import { readFileSync } from 'node:fs'

export interface Vectors<Case> {
  readonly what: string
  readonly cases: readonly Case[]
}

/** Reads `vectors/<name>.json`. */
export function readVectors<Case, More = unknown>(name: string): Vectors<Case> & More {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8')) as Vectors<Case> & More
}
