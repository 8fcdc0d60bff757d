/**
 * The connections of a process to one Redis: one for commands, one that blocks for idle workers, and subscriptions for
 * waits such as those for results. Brokers and backends with the same settings share them; the last one closes them.
 */

import { CommandConnection } from './connection/command-connection.js'
import type { RedisConnectionOptions } from './connection/options.js'
import { checkServer } from './connection/server-check.js'
import { Subscriptions } from './connection/subscriptions.js'
import { WakeUps } from './consuming/wake-ups.js'
import type { Keys } from './keys.js'
import { loadScripts } from './scripts.js'

const open = new Map<string, SharedConnections>()

export class SharedConnections {
  readonly commands: CommandConnection
  readonly subscriptions: Subscriptions
  readonly #options: RedisConnectionOptions
  readonly #name: string
  readonly #wakeUps = new Map<string, { readonly wakeUps: WakeUps; users: number }>()
  #users = 1

  private constructor(options: RedisConnectionOptions, name: string) {
    this.#options = options
    this.#name = name
    const warnedPolicies = new Set<string>()
    this.commands = new CommandConnection(options, 'commands', {
      check: (client, address) => checkServer(client, address, warnedPolicies),
    })
    this.subscriptions = new Subscriptions(this.commands, () => new CommandConnection(options, 'waiting for results'))
  }

  /** Returns the connections for these settings, new ones if this process has none yet. */
  static open(options: RedisConnectionOptions): SharedConnections {
    const name = nameOf(options)
    const existing = open.get(name)
    if (existing) {
      existing.#users++
      return existing
    }
    loadScripts()
    const connections = new SharedConnections(options, name)
    open.set(name, connections)
    return connections
  }

  /** Returns the wake-ups of a namespace. Each call needs a `releaseWakeUps` later. */
  wakeUps(keys: Keys): WakeUps {
    let shared = this.#wakeUps.get(keys.namespace)
    if (!shared) {
      shared = {
        wakeUps: new WakeUps(keys, this.commands, new CommandConnection(this.#options, 'idle workers')),
        users: 0,
      }
      this.#wakeUps.set(keys.namespace, shared)
    }
    shared.users++
    return shared.wakeUps
  }

  releaseWakeUps({ namespace }: Keys): void {
    const shared = this.#wakeUps.get(namespace)
    if (!shared || --shared.users > 0) return
    this.#wakeUps.delete(namespace)
    shared.wakeUps.close()
  }

  /** Ends one use of the connections. The last one closes them. */
  release(): void {
    if (--this.#users > 0) return
    if (open.get(this.#name) === this) open.delete(this.#name)
    for (const { wakeUps } of this.#wakeUps.values()) wakeUps.close()
    this.subscriptions.close()
    this.commands.close()
  }
}

/** A key by which equal settings share connections. Functions in them are compared by identity. */
function nameOf({ url, redis, nodes, cluster }: RedisConnectionOptions): string {
  return JSON.stringify({ url, redis, nodes, cluster }, (_, value: unknown) => {
    if (typeof value !== 'function') return value
    if (!numbers.has(value)) numbers.set(value, ++last)
    return `function ${numbers.get(value)}`
  })
}

const numbers = new WeakMap<object, number>()
let last = 0
