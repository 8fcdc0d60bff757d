/** Translates SQLite's errors: what is wrong with which file, and what to do. */
import { BrokerError, BrokerUnusable, ConnectionFailed, IncompatibleStore } from '../../../lib/errors.js'
import { codeOf } from '../driver/driver.js'

/** The error to throw for an error of SQLite; other errors pass unchanged. */
export function explain(cause: unknown, path: string): unknown {
  const options = { cause }
  switch (codeOf(cause)) {
    case undefined:
      return cause
    case 'BUSY':
    case 'LOCKED':
      return new ConnectionFailed(
        `The SQLite database ${path} is locked by another program. Look for one that keeps a transaction open on it.`,
        options,
      )
    case 'FULL':
      return diskFull(path, options)
    case 'PERM':
    case 'READONLY':
      return new BrokerUnusable(
        `The SQLite database ${path} can't be written. Give this user write permission on the file and on its folder ` +
          '(SQLite puts two files beside it), or give another path.',
        options,
      )
    case 'CANTOPEN':
      return new BrokerUnusable(
        `The SQLite database ${path} can't be opened. Check that this user may read and write the file and its folder.`,
        options,
      )
    case 'NOTADB':
      return new IncompatibleStore(
        `The file ${path} is not a SQLite database. It was left as it is: give another path, or move it away.`,
        options,
      )
    case 'CORRUPT':
      return new IncompatibleStore(
        `The SQLite database ${path} is damaged. Stop all workers, then restore a backup or try "sqlite3 ${path} .recover".`,
        options,
      )
    default:
      return new ConnectionFailed(`The SQLite database ${path} failed: ${(cause as Error).message}`, options)
  }
}

/** The disk is full, or has only the space left that processing the stored messages needs. */
export function diskFull(path: string, options?: ErrorOptions): BrokerError {
  return new BrokerError(
    `The SQLite database ${path} can't grow, its disk is full; nothing was stored. Free some space there: workers continue ` +
      'with the stored messages, and sends work again as soon as there is room.',
    options,
  )
}

/** Whether a full disk was the reason, so that it may work again once there is space. */
export function isDiskError(error: unknown): boolean {
  const code = codeOf(error instanceof BrokerError ? error.cause : error)
  return code === 'FULL' || code === 'IOERR'
}
