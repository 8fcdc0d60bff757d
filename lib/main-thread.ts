/**
 * The connection from a worker thread to the main thread, for what only the main thread has (the queues of a
 * MemoryBroker, for example).
 */

import type { Body } from './encoder.js'
import { shared } from './registry.js'

/** A message on its way to the main thread: its body, its delay in milliseconds, and its handle. */
export type RelayedEntry = readonly [body: Body, delay: number | undefined, handle: string | undefined]

/** Calls services of the main thread, and waits for their replies. */
export interface MainThread {
  call(service: string, method: string, args: readonly unknown[]): Promise<unknown>
  /** Reports this thread as ready to run actors; resolves when it is stopped. `runWorker()` calls it in a thread. */
  serve(): Promise<void>
  /**
   * Whether sends through a broker of this thread must go through the main thread, because only that has all plugins.
   */
  relays(broker: object): boolean
}

/** The main thread, and the services it offers; shared, so that `runWorker()` of another copy finds them. */
const state = shared('main thread', () => ({
  link: undefined as MainThread | undefined,
  services: new Map<string, Service>(),
}))

/** The main thread as seen from a worker thread; `undefined` elsewhere. */
export function mainThread(): MainThread | undefined {
  return state.link
}

/** Set once by a worker thread when it starts. */
export function linkMainThread(main: MainThread): void {
  state.link = main
}

/** A service of the main thread that threads call by name. */
export type Service = (method: string, args: readonly unknown[]) => unknown

/** Registers a service for the threads. */
export function serveThreads(name: string, service: Service): void {
  state.services.set(name, service)
}

/** The service of that name. */
export function threadService(name: string): Service | undefined {
  return state.services.get(name)
}
