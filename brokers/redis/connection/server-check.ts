/**
 * What kind of Redis it is, looked at with every new connection: there may be another server behind it than before.
 */
import { IncompatibleStore } from '../../../lib/errors.js'
import { getLogger } from '../../../lib/logger.js'
import type { Client } from './client.js'

/** The first version with all the commands of our scripts. */
const oldest = [6, 2] as const

/**
 * Looks at the server that a client is connected to; of a cluster, at one of its nodes.
 *
 * @param warnedPolicies Eviction policies that were warned of already.
 * @returns What tells this connection from all others: the run id of the server, and the id that it has there.
 * @throws {IncompatibleStore}
 */
export async function checkServer(
  client: Client,
  address: string,
  warnedPolicies: Set<string>,
): Promise<string | undefined> {
  // Not everybody may ask.
  const [info, id] = await Promise.all([client.info().catch(() => ''), connectionId(client)])
  checkVersion(info, address)
  const policy = evictionPolicy(info)
  if (policy !== undefined) warnOfEviction(policy, warnedPolicies)
  else queryEviction(client, warnedPolicies)
  const [, server] = /^run_id:(\w+)/m.exec(info) ?? []
  return server !== undefined && id !== undefined ? `${server}:${id}` : undefined
}

/** Ids are a server's own, so that on a cluster nobody can say whose it is. */
function connectionId(client: Client): Promise<number | undefined> | undefined {
  return 'nodes' in client ? undefined : client.client('ID').catch(() => undefined)
}

/** Nobody waits for this: the connection is fine whatever comes of it. */
function queryEviction(client: Client, warnedPolicies: Set<string>): void {
  client.config('GET', 'maxmemory-policy').then(
    (answer) => warnOfEviction(`${(answer as unknown[])[1]}`, warnedPolicies),
    () => {},
  )
}

/**
 * Checks the version in the answer of INFO. Valkey says there what Redis it is like.
 * @throws {IncompatibleStore}
 */
export function checkVersion(info: string, address: string): void {
  const [, version, major, minor] = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(info) ?? []
  if (version === undefined) return
  if (Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1])) return
  throw new IncompatibleStore(
    `Expected Redis ${oldest.join('.')} or later, or Valkey; Redis at ${address} is ${version}. Use a newer server.`,
  )
}

/** What the answer of INFO says is thrown away when memory is full. */
export function evictionPolicy(info: string): string | undefined {
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
}

/** A Redis that may throw keys away when its memory is full throws messages away, or what stands beside them. */
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
