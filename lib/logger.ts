/** Logging: an interface of four methods, implemented by pino unless replaced. */
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { type DestinationStream, pino } from 'pino'
import { requireFrom } from './bundled.js'
import { checkMethods } from './checks.js'
import { InvalidOption } from './errors.js'
import { shared } from './registry.js'
import { startTimer } from './time.js'

/** Receives the log of dramatis. The methods have pino's signatures, so that a pino logger fits, or a small object. */
export interface Logger {
  debug(fields: object, text: string): void
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
  /**
   * Whether lines of a level are written. At `debug` there is a line for every message, which isn't created if this
   * returns `false`. Called when the logger is set, and when it emits `level-change`, as pino's loggers do.
   * @default every line is written
   */
  isLevelEnabled?(level: string): boolean
}

const state = shared('logger', (): { logger: Logger | undefined; debugs: boolean } => ({
  logger: undefined,
  debugs: false,
}))

/**
 * The logger in use: by default pino at the level in `DRAMATIS_LOG_LEVEL` (`info` without it; `silent` turns it off).
 * It writes JSON lines to standard error; readable lines if that is a terminal and the package `pino-pretty` is
 * installed.
 */
export function getLogger(): Logger {
  if (state.logger) return state.logger
  const level = readLevel()
  const lines = isatty(2) ? readableLines() : undefined
  setLogger(pino({ name: 'dramatis', level }, lines ?? standardError()))
  return state.logger as unknown as Logger
}

/** Whether `debug` lines are written, for lines that would be created for every message. */
export function isDebugEnabled(): boolean {
  return state.debugs
}

/**
 * Standard error, written synchronously and not through Node's stream, which loses its last lines when a process ends.
 * Under a supervisor that reads only that stream, the stream is used.
 */
function standardError(): DestinationStream {
  return isCaptured() ? process.stderr : pino.destination({ dest: 2, sync: true })
}

/** PM2's cluster mode replaces `write` on the main thread, and reads the output of threads there. */
function isCaptured(): boolean {
  return Object.hasOwn(process.stderr, 'write') || process.env.exec_mode === 'cluster_mode'
}

/** How long a supervisor may take to read the last lines, in milliseconds. */
const longestFlush = 500

/** Resolves once the log is written; await it before `process.exit()`. Only a supervisor's log takes time. */
export async function flushLog(): Promise<void> {
  if (!isCaptured()) return
  await new Promise<void>((resolve) => {
    startTimer(resolve, longestFlush)
    process.stderr.write('', 'utf8', () => resolve())
  })
}

/** pino-pretty, if the application has it: a development dependency, not installed in production. */
function readableLines(): DestinationStream | undefined {
  try {
    const load = requireFrom(join(process.cwd(), 'package.json'))
    const pretty = load('pino-pretty') as (options: object) => DestinationStream
    // Written synchronously, as the JSON lines are: the last lines before a process ends matter most.
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
