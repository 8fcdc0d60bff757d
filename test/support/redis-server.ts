/**
 * A redis-server for tests: on a free port, in a temporary folder, stopped when the test file ends. `REDIS_URL`
 * names a server to use in place of it, where a test doesn't need to restart or configure it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { t } from 'tap'

export interface RedisServerOptions {
  /** The lines of a configuration file, for a server that requires one. */
  config?: readonly string[]
  /** Makes it a server with TLS only, with the settings that clients need to trust it. */
  tls?: RedisOptions['tls']
}

export class RedisServer {
  readonly port: number
  readonly url: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'dramatis-redis-'))
  readonly #arguments: readonly string[]
  readonly #tls: RedisOptions['tls']
  readonly #clients: Redis[] = []
  #process: ChildProcess | undefined

  /** @param settings More arguments of `redis-server`. */
  constructor(port: number, settings: readonly string[], { config, tls }: RedisServerOptions = {}) {
    this.port = port
    this.url = `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}/0`
    this.#tls = tls
    const ports = tls ? ['--port', '0', '--tls-port', `${port}`] : ['--port', `${port}`]
    const own = [...ports, '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '']
    this.#arguments = [...own, ...settings]
    if (!config) return
    const file = join(this.#folder, 'redis.conf')
    writeFileSync(file, `${config.join('\n')}\n`)
    this.#arguments = [file, ...this.#arguments]
  }

  /** Starts it with the data that an earlier run saved; resolves when it replies. */
  async start(): Promise<void> {
    const child = spawn('redis-server', this.#arguments, { stdio: 'ignore' })
    this.#process = child
    const kill = (): boolean => child.kill('SIGKILL')
    const killed = (signal: NodeJS.Signals): void => {
      kill()
      process.kill(process.pid, signal)
    }
    process.once('exit', kill).once('SIGTERM', killed)
    child.once('exit', () => process.off('exit', kill).off('SIGTERM', killed))
    const probe = new Redis(this.url, { maxRetriesPerRequest: null, retryStrategy: () => 10, ...this.#trust })
    probe.on('error', () => {})
    await probe.ping()
    probe.disconnect()
  }

  /** Stops it normally; `save` keeps the data for the next start. */
  async stop({ save = false } = {}): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    if (save) await this.client().save()
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** A plain client, to inspect the keys directly. */
  client(): Redis {
    const client = new Redis(this.url, this.#trust)
    client.on('error', () => {})
    this.#clients.push(client)
    return client
  }

  get #trust(): RedisOptions {
    return this.#tls ? { tls: this.#tls } : {}
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/**
 * Runs tests against a separate server. If there is no redis-server, they are skipped with that reason, or
 * fail in CI.
 *
 * @param settings More arguments of `redis-server`.
 */
export async function withRedis(
  run: (server: RedisServer) => Promise<void> | void,
  settings: string[] = [],
  options: RedisServerOptions = {},
): Promise<void> {
  if (spawnSync('redis-server', ['--version']).error) {
    const reason = 'There is no redis-server here: install it, node test/support/ensure-redis.js does.'
    if (process.env.CI) return void t.fail(reason)
    return t.plan(0, reason)
  }
  await run(await startRedis(settings, options))
}

/** Starts another server, which is stopped when the test file ends. */
export async function startRedis(settings: readonly string[], options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), settings, options)
  t.teardown(() => server.end())
  await server.start()
  return server
}

/**
 * The URL of a server for tests that only need a few keys of their own: `REDIS_URL`, or a server of their own.
 */
export async function withRedisUrl(run: (url: string) => Promise<void> | void): Promise<void> {
  const { REDIS_URL } = process.env
  return REDIS_URL ? run(REDIS_URL) : withRedis((server) => run(server.url))
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
