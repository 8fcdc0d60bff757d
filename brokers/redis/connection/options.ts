/**
 * Reads and checks the connection options before anything connects, so that a mistake is reported where it was made. No
 * text here shows a URL, since it may contain a password.
 */
import type { ClusterOptions, RedisOptions } from 'ioredis'
import { expected, refuseUnknown } from '../../../lib/checks.js'
import { InvalidOption } from '../../../lib/errors.js'

/** How to connect to Redis. */
export interface RedisConnectionOptions {
  /**
   * The URL of Redis: `redis://`, or `rediss://` for TLS, with user, password and database if needed; or the path of
   * a Unix socket.
   * @default 'redis://127.0.0.1:6379/0', unless `redis` or `nodes` is given
   */
  url?: string | undefined
  /**
   * Options of ioredis, for what a URL can't express: `sentinels` and `name`, `tls`, `username`, `connectTimeout`, …
   */
  redis?: Omit<RedisOptions, 'keyPrefix' | 'lazyConnect'> | undefined
  /** Some nodes of a Redis Cluster. The namespace must then be hash-tagged, such as `{dramatiq}`. */
  nodes?: readonly (string | { host: string; port: number })[] | undefined
  /** Options of ioredis for the cluster itself, such as `natMap`. */
  cluster?: ClusterOptions | undefined
}

/** The names of the connection options. */
export const connectionOptionNames = ['url', 'redis', 'nodes', 'cluster'] as const

/**
 * Reads the connection options from the options of a broker or a backend.
 *
 * @param names All option names that are allowed there.
 * @param where What the options belong to, for the error texts.
 * @param isClientOption Whether ioredis has an option of that name.
 * @throws {InvalidOption}
 */
export function readConnection(
  options: unknown,
  names: readonly string[],
  where: string,
  isClientOption: (name: string) => boolean,
): RedisConnectionOptions {
  if (!isObject(options)) {
    const text = `Expected the options of ${where} to be an object, such as { url: 'redis://…' }; got ${kind(options)}.`
    throw new InvalidOption(text, 'options')
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name) || !isClientOption(name)) continue
    const advice = `put options of ioredis into "redis", as in { redis: { ${name}: … } }, or use "url"`
    throw new InvalidOption(`Unknown option "${name}" (on ${where}): ${advice}.`, name)
  }
  refuseUnknown(options, names, where)
  const { url, redis, nodes, cluster } = options
  if (redis !== undefined) checkClientOptions(redis, nodes !== undefined)
  if (nodes !== undefined) checkNodes(nodes)
  if (cluster !== undefined && !isObject(cluster)) throw notAnObject('cluster', '{ natMap: … }', cluster)
  if (cluster !== undefined && nodes === undefined) {
    throw new InvalidOption('Expected "nodes" beside "cluster": some nodes of the Redis Cluster.', 'cluster')
  }
  if (url !== undefined && nodes !== undefined) {
    throw new InvalidOption(
      'Expected "url" or "nodes"; got both. A Redis Cluster is reached by "nodes" alone.',
      'nodes',
    )
  }
  const read = { redis, nodes, cluster } as RedisConnectionOptions
  return url === undefined ? read : { ...read, url: readUrl(url) }
}

/** Checks the namespace. On a cluster it must have a hash tag, which keeps all keys in one slot. */
export function checkNamespace(namespace: unknown, { nodes }: RedisConnectionOptions): void {
  if (typeof namespace !== 'string' || namespace === '') {
    throw expected('a non-empty string', namespace, 'namespace')
  }
  // Redis uses the first pair of braces as the hash tag; an empty pair is no tag.
  if (nodes === undefined || /^[^{]*\{[^}]+\}/.test(namespace)) return
  throw expected(
    `hash-tagged, such as "{${namespace.replace(/[{}]/g, '')}}", on a Redis Cluster`,
    namespace,
    'namespace',
  )
}

/** The address of Redis for logs and errors, without user and password. */
export function addressOf({ url, redis, nodes }: RedisConnectionOptions): string {
  if (nodes)
    return nodes.map((node) => (typeof node === 'string' ? hostOf(node) : `${node.host}:${node.port}`)).join(', ')
  if (redis?.sentinels) {
    const sentinels = redis.sentinels.map(({ host = 'localhost', port = 26_379 }) => `${host}:${port}`)
    return `${redis.name} (by the sentinels ${sentinels.join(', ')})`
  }
  if (url?.startsWith('/')) return url.replace(/\?.*/, '')
  const { hostname = '', port = '' } = url === undefined ? {} : new URL(url)
  if (redis?.path && hostname === '') return redis.path
  return `${hostname || redis?.host || (redis ? 'localhost' : '127.0.0.1')}:${port || redis?.port || 6379}`
}

/** The address of Redis as a URL for logs, without user and password. */
export function locationOf(options: RedisConnectionOptions): string {
  const { url, redis, nodes } = options
  if (url === undefined || url.startsWith('/')) {
    return `redis://${addressOf(options)}${nodes ? '' : `/${redis?.db ?? 0}`}`
  }
  const { protocol, pathname, searchParams } = new URL(url)
  const database = pathname.slice(1) || searchParams.get('db') || redis?.db || 0
  return `${protocol}//${addressOf(options)}/${database}`
}

// — Internal helpers —————————————————————————————————————————————————————————————————————————————————————

/** The query parameters that a URL may have. Any other parameter would override our own settings. */
const parameters = ['db', 'family', 'username', 'password', 'connectionName']

/** Checks a URL and returns it with a lower-case scheme, the only form that ioredis understands. */
function readUrl(url: unknown): string {
  if (typeof url !== 'string') throw badUrl(kind(url))
  if (url === '') throw badUrl('an empty text')
  // The URL of a Unix socket is parsed with a placeholder as its host.
  const isSocket = url.startsWith('/') && !url.startsWith('//')
  const [, scheme] = /^([a-z][a-z\d+.-]*):\/\//i.exec(url) ?? []
  if (!isSocket && !/^rediss?$/i.test(scheme ?? '')) {
    throw badUrl(scheme ? `one that begins with ${scheme}://` : "one that doesn't begin with redis:// or rediss://")
  }
  const { pathname, port, username, password, searchParams } = parse(
    isSocket ? `redis://socket/${url.replace(/^[^?]*/, '')}` : url,
  )
  if (port === '0') throw badUrl('the port 0')
  const database = pathname.slice(1) || searchParams.get('db')
  if (database && !/^\d+$/.test(database)) throw badUrl('a database that is no whole number')
  for (const name of searchParams.keys()) {
    if (parameters.includes(name)) continue
    const shown = /^\w+$/.test(name) ? ` "${name}"` : ''
    throw badUrl(`the parameter${shown}; options of ioredis go into "redis"`)
  }
  try {
    decodeURIComponent(username)
    decodeURIComponent(password)
  } catch {
    throw badUrl('a user or password with a % that has no code after it; % itself is %25')
  }
  return scheme ? url.replace(scheme, scheme.toLowerCase()) : url
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch {
    throw badUrl(
      "one that can't be read: is the port under 65536, and is what is special in user and password percent-encoded?",
    )
  }
}

function badUrl(what: string): InvalidOption {
  const wanted = 'a URL such as redis://user:password@host:6379/0 (rediss:// for TLS), or the path of a socket'
  return new InvalidOption(`Expected "url" to be ${wanted}; got ${what}.`, 'url')
}

function checkClientOptions(redis: unknown, isCluster: boolean): void {
  if (!isObject(redis)) throw notAnObject('redis', '{ username: … }', redis)
  if ('keyPrefix' in redis) {
    throw new InvalidOption('Expected no "keyPrefix": the namespace is what the keys begin with.', 'keyPrefix')
  }
  const { db } = redis
  if (db === undefined) return
  if (!Number.isSafeInteger(db) || (db as number) < 0) throw expected('a whole number from 0 up', db, 'db')
  if (isCluster && db !== 0) throw expected('0, the only database of a Redis Cluster', db, 'db')
}

function checkNodes(nodes: unknown): void {
  const wanted = 'a list of nodes, such as ["10.0.0.1:6379"] or [{ host: "10.0.0.1", port: 6379 }]'
  if (!Array.isArray(nodes) || nodes.length === 0) {
    const what = Array.isArray(nodes) ? 'an empty one' : kind(nodes)
    throw new InvalidOption(`Expected "nodes" to be ${wanted}; got ${what}.`, 'nodes')
  }
  for (const node of nodes) {
    if (typeof node === 'string' && /^rediss:/i.test(node)) {
      throw new InvalidOption('Expected "nodes" without rediss://: for TLS add redis: { tls: {} }.', 'nodes')
    }
    if (typeof node === 'string' ? !isNode(node) : !isObject(node) || typeof node.host !== 'string') {
      const what = typeof node === 'string' ? "a text that isn't host:port" : kind(node)
      throw new InvalidOption(`Expected "nodes" to be ${wanted}; got ${what} in it.`, 'nodes')
    }
  }
}

function isNode(node: string): boolean {
  try {
    return hostOf(node) !== ''
  } catch {
    return false
  }
}

/** Returns the host and port of a node's text. */
function hostOf(node: string): string {
  const { hostname, port } = new URL(node.includes('://') ? node.replace(/^redis:/i, 'redis:') : `redis://${node}`)
  return hostname && `${hostname}:${port || 6379}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notAnObject(name: string, example: string, value: unknown): InvalidOption {
  return new InvalidOption(`Expected "${name}" to be an object, such as ${example}; got ${kind(value)}.`, name)
}

/** Describes the type of a value without showing it, since it may contain a password. */
function kind(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value === undefined) return 'undefined'
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
