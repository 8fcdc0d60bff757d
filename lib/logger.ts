/**
 * Logging: a contract of four methods, served by pino unless replaced.
 */
import { pino } from 'pino'
import { InvalidOption } from './errors.js'

/** Where dramatis logs: pino's own shape, so any pino logger (or a child of one) fits, as do small objects. */
export interface Logger {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

let logger: Logger | undefined

/**
 * The logger in use: by default pino, JSON lines on standard error, at the level that `DRAMATIS_LOG_LEVEL`
 * names (`info` without it; `silent` turns it off).
 */
export function getLogger(): Logger {
  logger ??= pino({ name: 'dramatis', level: readLevel() }, pino.destination({ dest: 2, sync: true }))
  return logger
}

function readLevel(): string {
  const level = process.env.DRAMATIS_LOG_LEVEL || 'info'
  const levels = [...Object.keys(pino.levels.values), 'silent']
  if (levels.includes(level)) return level
  throw new InvalidOption(
    `Expected DRAMATIS_LOG_LEVEL to be one of ${levels.join(', ')}; got ${JSON.stringify(level)}.`,
    'DRAMATIS_LOG_LEVEL',
  )
}

/** Replaces the logger, for this thread of this process. */
export function setLogger(replacement: Logger): void {
  logger = replacement
}
