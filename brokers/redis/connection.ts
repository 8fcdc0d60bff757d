/**
 * What a process has to do with one Redis: one connection for commands, one that blocks for idle workers, and ears
 * for those who wait for results. Brokers and backends with the same settings share it; the last one closes it.
 */
import { Ears } from './ears.js'
import type { Keys } from './keys.js'
import { Link } from './link.js'
import type { RedisConnectionOptions } from './options.js'
import { loadScripts } from './scripts.js'
import { examine } from './server.js'
import { Waker } from './waker.js'

const open = new Map<string, Connection>()

export class Connection {
  readonly commands: Link
  readonly ears: Ears
  readonly #options: RedisConnectionOptions
  readonly #name: string
  readonly #wakers = new Map<string, { readonly waker: Waker; users: number }>()
  #users = 1

  private constructor(options: RedisConnectionOptions, name: string) {
    this.#options = options
    this.#name = name
    const told = new Set<string>()
    this.commands = new Link(options, 'commands', { examine: (client, address) => examine(client, address, told) })
    this.ears = new Ears(this.commands, () => new Link(options, 'waiting for results'))
  }

  /** The connection for these settings; a new one where nobody in this process has one yet. */
  static open(options: RedisConnectionOptions): Connection {
    const name = nameOf(options)
    const existing = open.get(name)
    if (existing) {
      existing.#users++
      return existing
    }
    loadScripts()
    const connection = new Connection(options, name)
    open.set(name, connection)
    return connection
  }

  /** What wakes idle workers of a namespace. Whoever asked for it lets go of it with `dropWaker`. */
  waker(keys: Keys): Waker {
    let shared = this.#wakers.get(keys.namespace)
    if (!shared) {
      shared = { waker: new Waker(keys, this.commands, new Link(this.#options, 'idle workers')), users: 0 }
      this.#wakers.set(keys.namespace, shared)
    }
    shared.users++
    return shared.waker
  }

  dropWaker({ namespace }: Keys): void {
    const shared = this.#wakers.get(namespace)
    if (!shared || --shared.users > 0) return
    this.#wakers.delete(namespace)
    shared.waker.close()
  }

  /** Lets go of it. */
  release(): void {
    if (--this.#users > 0) return
    if (open.get(this.#name) === this) open.delete(this.#name)
    for (const { waker } of this.#wakers.values()) waker.close()
    this.ears.close()
    this.commands.close()
  }
}

/** Settings that read alike are the same; those with code in them are the same only as objects. */
function nameOf({ url, redis, nodes, cluster }: RedisConnectionOptions): string {
  return JSON.stringify({ url, redis, nodes, cluster }, (_, value: unknown) => {
    if (typeof value !== 'function') return value
    if (!numbers.has(value)) numbers.set(value, ++last)
    return `function ${numbers.get(value)}`
  })
}

const numbers = new WeakMap<object, number>()
let last = 0
