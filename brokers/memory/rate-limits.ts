/**
 * Rate-limit counters in memory. In a worker thread they are those of the main thread, which is called for each change.
 */

import { expected, refuseUnknown } from '../../lib/checks.js'
import { mainThread, serveThreads } from '../../lib/main-thread.js'
import type { RateLimitBackend } from '../../lib/rate-limits/backend.js'
import { shared } from '../../lib/registry.js'
import { type Clock, systemClock } from '../../lib/time.js'
import { keepProcessAlive } from './keep-process-alive.js'

export interface MemoryRateLimitsOptions {
  /**
   * The name of the counters: all instances in this process with the same name share them, including those in worker
   * threads.
   * @default 'default'
   */
  name?: string | undefined
  /**
   * The clock for times to live and waits: that of a MemoryBroker, for example, so that they move with it. Counters of
   * one name use the clock that was given last.
   * @default real time
   */
  clock?: Clock | undefined
}

type Method = 'add' | 'incr' | 'decr' | 'incrAndSum' | 'read' | 'wait' | 'notify'

const service = 'memory-rate-limits'

/** Keeps the counters of rate limiters and barriers in the memory of this process. */
export class MemoryRateLimits implements RateLimitBackend {
  readonly name: string
  readonly #counters: Counters

  /** @throws {InvalidOption} */
  constructor(options: MemoryRateLimitsOptions = {}) {
    refuseUnknown(options, ['name', 'clock'], 'MemoryRateLimits')
    const { name = 'default', clock } = options
    if (typeof name !== 'string') throw expected('a text', name, 'name')
    this.name = name
    this.#counters = countersOf(name)
    if (clock) this.#counters.clock = clock
  }

  async add(...args: Parameters<RateLimitBackend['add']>): Promise<boolean> {
    return this.#ask('add', args)
  }

  async incr(...args: Parameters<RateLimitBackend['incr']>): Promise<boolean> {
    return this.#ask('incr', args)
  }

  async decr(...args: Parameters<RateLimitBackend['decr']>): Promise<boolean> {
    return this.#ask('decr', args)
  }

  async incrAndSum(...args: Parameters<RateLimitBackend['incrAndSum']>): Promise<boolean> {
    return this.#ask('incrAndSum', args)
  }

  async read(keys: readonly string[]): Promise<readonly number[]> {
    return this.#ask('read', [keys])
  }

  async wait(...args: Parameters<RateLimitBackend['wait']>): Promise<boolean> {
    return this.#ask('wait', args)
  }

  async notify(...args: Parameters<RateLimitBackend['notify']>): Promise<void> {
    await this.#ask('notify', args)
  }

  /** In a thread this is real time, wherever the main thread's clock was moved to. */
  now(): number {
    return this.#counters.clock.now()
  }

  #ask<T = boolean>(method: Method, args: unknown[]): Promise<T> {
    const main = mainThread()
    if (main) return main.call(service, method, [this.name, ...args]) as Promise<T>
    return call(this.#counters, method, args)
  }
}

/** The counters of one name. */
class Counters {
  clock: Clock = systemClock
  readonly #kept = new Map<string, { value: number; ends: number }>()
  readonly #notified = new Map<string, number>()
  readonly #waits = new Map<string, Set<(came: boolean) => void>>()
  /** Expired counters are removed when there are this many. */
  #sweepAt = 1000

  add(key: string, value: number, ttl: number): boolean {
    if (this.#get(key) !== undefined) return false
    return this.#set(key, value, ttl)
  }

  incr(key: string, amount: number, maximum: number, ttl: number): boolean {
    const value = (this.#get(key) ?? 0) + amount
    return value <= maximum && this.#set(key, value, ttl)
  }

  decr(key: string, amount: number, minimum: number, ttl: number): boolean {
    const value = (this.#get(key) ?? 0) - amount
    return value >= minimum && this.#set(key, value, ttl)
  }

  incrAndSum(key: string, keys: readonly string[], amount: number, maximum: number, ttl: number): boolean {
    const sum = keys.reduce((total, each) => total + (this.#get(each) ?? 0), amount)
    return sum <= maximum && this.incr(key, amount, maximum, ttl)
  }

  read(keys: readonly string[]): readonly number[] {
    return keys.map((key) => this.#get(key) ?? 0)
  }

  notify(key: string, ttl: number): boolean {
    this.#notified.set(key, this.clock.now() + ttl)
    for (const resolve of this.#waits.get(key) ?? []) resolve(true)
    this.#sweep()
    return true
  }

  wait(key: string, timeout: number): boolean | Promise<boolean> {
    if ((this.#notified.get(key) ?? 0) > this.clock.now()) return true
    const waits = this.#waits.get(key) ?? new Set()
    this.#waits.set(key, waits)
    let resolve: (came: boolean) => void = () => {}
    const came = new Promise<boolean>((settle) => {
      resolve = settle
      waits.add(settle)
    })
    const timer = this.clock.setTimeout(() => resolve(false), timeout)
    return keepProcessAlive(came).finally(() => {
      this.clock.clearTimeout(timer)
      waits.delete(resolve)
      if (waits.size === 0 && this.#waits.get(key) === waits) this.#waits.delete(key)
    })
  }

  #get(key: string): number | undefined {
    const kept = this.#kept.get(key)
    return kept && kept.ends > this.clock.now() ? kept.value : undefined
  }

  #set(key: string, value: number, ttl: number): true {
    this.#kept.set(key, { value, ends: this.clock.now() + ttl })
    this.#sweep()
    return true
  }

  /** Checks all counters only when their number has doubled since the last time. */
  #sweep(): void {
    if (this.#kept.size + this.#notified.size < this.#sweepAt) return
    const now = this.clock.now()
    for (const [key, { ends }] of this.#kept) if (ends <= now) this.#kept.delete(key)
    for (const [key, ends] of this.#notified) if (ends <= now) this.#notified.delete(key)
    this.#sweepAt = Math.max(1000, 2 * (this.#kept.size + this.#notified.size))
  }
}

const named = shared('memory rate limits', () => new Map<string, Counters>())

function countersOf(name: string): Counters {
  const counters = named.get(name) ?? new Counters()
  named.set(name, counters)
  return counters
}

async function call<T>(counters: Counters, method: Method, args: readonly unknown[]): Promise<T> {
  return (counters[method] as (...args: readonly unknown[]) => T | Promise<T>).apply(counters, [...args])
}

serveThreads(service, (method, [name, ...args]) => call(countersOf(name as string), method as Method, args))
