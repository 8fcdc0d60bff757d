/** Which file, and how careful with it: the settings that broker, results and rate limits have in common. */
import { InvalidOption } from '../../../lib/errors.js'
import { show } from '../../../lib/time.js'
import { Connection } from './connection.js'
import type { Synchronous } from './database.js'

/** Where the file is, and how durable its commits are; for the broker as for results and rate limits on their own. */
export interface SQLiteFileOptions {
  /**
   * The database file, made when it isn't there (its folder must be). Brokers, results and rate limits of one process
   * on one file share a connection.
   * @default './dramatis.db'
   */
  path?: string | URL | undefined
  /**
   * What a commit waits for. `'normal'`: what was sent survives the crash of any process, and a power cut may take the
   * last moments. `'full'`: it survives a power cut as well, at the price of one disk flush a transaction.
   * @default 'normal'
   */
  synchronous?: Synchronous | undefined
}

/** @throws {InvalidOption} for a path or a level of durability that can't be. */
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
  return Connection.to(path, synchronous)
}
