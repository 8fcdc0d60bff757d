/** Checks the server on every new connection, since it may be another server than before. */
import { IncompatibleStore } from '../../../lib/errors.js'
import { getLogger } from '../../../lib/logger.js'
import type { Client } from './client.js'

/** The first version that has all commands of our scripts. */
const oldest = [6, 2] as const

/**
 * Checks the server that a client is connected to; of a cluster, one of its nodes.
 *
 * @param warnedPolicies Eviction policies for which a warning was already logged.
 * @returns The unique identity of this connection: the run id of the server, and the connection's id there.
 * @throws {IncompatibleStore} when the server is too old.
 */
export async function checkServer(
  client: Client,
  address: string,
  warnedPolicies: Set<string>,
): Promise<string | undefined> {
  // The user may lack the permission for these commands.
  const [info, id] = await Promise.all([client.info().catch(() => ''), connectionId(client)])
  checkVersion(info, address)
  const policy = evictionPolicy(info)
  if (policy !== undefined) warnOfEviction(policy, warnedPolicies)
  else queryEviction(client, warnedPolicies)
  const [, server] = /^run_id:(\w+)/m.exec(info) ?? []
  return server !== undefined && id !== undefined ? `${server}:${id}` : undefined
}

/** Connection ids are per server, so on a cluster an id would be ambiguous. */
function connectionId(client: Client): Promise<number | undefined> | undefined {
  return 'nodes' in client ? undefined : client.client('ID').catch(() => undefined)
}

/** Runs in the background: the connection is usable whatever the result. */
function queryEviction(client: Client, warnedPolicies: Set<string>): void {
  client.config('GET', 'maxmemory-policy').then(
    (answer) => warnOfEviction(`${(answer as unknown[])[1]}`, warnedPolicies),
    () => {},
  )
}

/**
 * Checks the version in the reply of INFO. Valkey reports the version of Redis that it is compatible with.
 * @throws {IncompatibleStore} when it is too old.
 */
export function checkVersion(info: string, address: string): void {
  const [, version, major, minor] = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info) ?? []
  if (version === undefined) return
  if (Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1])) return
  throw new IncompatibleStore(
    `Expected Redis ${oldest.join('.')} or later, or Valkey; Redis at ${address} is ${version}. Use a newer server.`,
  )
}

/** Returns the eviction policy in the reply of INFO. */
export function evictionPolicy(info: string): string | undefined {
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
}

/** Warns if Redis evicts keys when its memory is full, since messages, results or rate limits would be lost. */
export function warnOfEviction(policy: string, warnedPolicies: Set<string>): void {
  const evicted = /^allkeys-/.test(policy)
    ? 'and with them messages'
    : 'of those with a time to live: results and rate limits, not messages'
  if (!/^(allkeys|volatile)-/.test(policy) || warnedPolicies.has(policy)) return
  warnedPolicies.add(policy)
  getLogger().warn(
    { policy },
    `Redis evicts keys when its memory is full (maxmemory-policy ${policy}), ${evicted}. ` +
      'Set it to noeviction: CONFIG SET maxmemory-policy noeviction.',
  )
}
