/**
 * Logging: a contract of four methods, served by pino unless replaced.
 */
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { type DestinationStream, pino } from 'pino'
import { requireFrom } from './bundled.js'
import { checkMethods } from './checks.js'
import { InvalidOption } from './errors.js'
import { shared } from './registry.js'
import { startTimer } from './time.js'

/** Where dramatis logs: pino's own shape, so any pino logger (or a child of one) fits, as do small objects. */
export interface Logger {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
  /**
   * Whether lines of a level are written. At `debug` there is a line for every message, which isn't even made when this
   * says `false`. Asked when the logger is set, and when it emits `level-change`, as pino's loggers do.
   * @default every line is written
   */
  isLevelEnabled?(level: string): boolean
}

const state = shared('logger', (): { logger: Logger | undefined; debugs: boolean } => ({
  logger: undefined,
  debugs: false,
}))

/**
 * The logger in use: by default pino at the level that `DRAMATIS_LOG_LEVEL` names (`info` without it; `silent` turns it
 * off). It writes JSON lines on standard error; lines for people where that is a terminal and the package `pino-pretty`
 * is installed.
 */
export function getLogger(): Logger {
  if (state.logger) return state.logger
  const level = readLevel()
  const lines = isatty(2) ? readableLines() : undefined
  setLogger(pino({ name: 'dramatis', level }, lines ?? standardError()))
  return state.logger as unknown as Logger
}

/** Whether lines at `debug` are written, for those that would be made for every message. */
export function isDebugEnabled(): boolean {
  return state.debugs
}

/**
 * Standard error: written at once, past Node's stream, which loses its last lines when a process ends. Where a supervisor
 * reads what goes through that stream and nothing else, the log takes that way.
 */
function standardError(): DestinationStream {
  return isCaptured() ? process.stderr : pino.destination({ dest: 2, sync: true })
}

/** PM2's cluster mode replaces `write` on the main thread, and reads its threads there. */
function isCaptured(): boolean {
  return Object.hasOwn(process.stderr, 'write') || process.env.exec_mode === 'cluster_mode'
}

/** How long a supervisor may take to write down the last lines, in milliseconds. */
const longestFlush = 500

/** Resolves once what was logged is written: to be awaited before `process.exit()`. Only a supervisor's log takes any time. */
export async function flushLog(): Promise<void> {
  if (!isCaptured()) return
  await new Promise<void>((resolve) => {
    startTimer(resolve, longestFlush)
    process.stderr.write('', 'utf8', () => resolve())
  })
}

/** pino-pretty, if the application has it: a dependency of development, which nobody installs in production. */
function readableLines(): DestinationStream | undefined {
  try {
    const load = requireFrom(join(process.cwd(), 'package.json'))
    const pretty = load('pino-pretty') as (options: object) => DestinationStream
    // Written at once, as the JSON lines are: what is said last, before a process ends, is what matters most.
    const colorize = !process.env.NO_COLOR
    return pretty({
      destination: 2,
      sync: true,
      colorize,
      singleLine: true,
      ignore: 'pid,hostname,name',
      translateTime: 'SYS:HH:MM:ss.l',
    })
  } catch {
    return undefined
  }
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
  checkMethods(replacement, ['debug', 'info', 'warn', 'error'], 'logger', "a logger such as pino's")
  state.logger = replacement
  const look = (): void => {
    if (state.logger === replacement) state.debugs = replacement.isLevelEnabled?.('debug') ?? true
  }
  look()
  const { on } = replacement as { on?: unknown }
  if (typeof on === 'function') on.call(replacement, 'level-change', look)
}
