/** The options of the file, common to the broker, results and rate limits. */
import { show } from '../../../lib/checks.js'
import { InvalidOption } from '../../../lib/errors.js'
import { Connection } from './connection.js'
import type { Synchronous } from './database.js'

/**
 * The path of the file, and the durability of its commits; for the broker as well as for separate results and rate
 * limits.
 */
export interface SQLiteFileOptions {
  /**
   * The database file, created if it doesn't exist (its folder must exist). Brokers, results and rate limits of one
   * process on one file share a connection.
   * @default './dramatis.db'
   */
  path?: string | URL | undefined
  /**
   * What a commit waits for. With `'normal'` a stored message survives the crash of any process, but a power failure
   * may lose the last moments. With `'full'` it also survives a power failure, at the cost of one disk flush per
   * transaction.
   * @default 'normal'
   */
  synchronous?: Synchronous | undefined
}

/** @throws {InvalidOption} for an invalid path or durability. */
export function openConnection({ path = './dramatis.db', synchronous = 'normal' }: SQLiteFileOptions = {}): Connection {
  if (!(path instanceof URL) && (typeof path !== 'string' || path === '' || path.startsWith(':'))) {
    throw new InvalidOption(
      `Expected "path" to be the path of a file; got ${show(path)}. A broker in memory is dramatis/memory.`,
      'path',
    )
  }
  if (synchronous !== 'normal' && synchronous !== 'full') {
    throw new InvalidOption(`Expected "synchronous" to be "normal" or "full"; got ${show(synchronous)}.`, 'synchronous')
  }
  return Connection.acquire(path, synchronous)
}
