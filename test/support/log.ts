/** A logger that collects its lines, so that tests can check them and print nothing themselves. */
import { type Logger, setLogger } from '../../lib/logger.js'

export interface Line {
  level: 'debug' | 'info' | 'warn' | 'error'
  fields: Record<string, unknown>
  text: string
}

/** Replaces the logger from now on. */
export function captureLog(): Line[] {
  const lines: Line[] = []
  const at =
    (level: Line['level']): Logger['info'] =>
    (fields, text) => {
      lines.push({ level, fields: fields as Line['fields'], text })
    }
  setLogger({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') })
  return lines
}
