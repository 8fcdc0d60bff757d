/**
 * The way from a worker thread to the main thread, for what only the main thread has (a MemoryBroker's queues, say).
 */

import type { Broker } from './broker.js'
import { shared } from './registry.js'

/** Asks the main thread for something and waits for the answer. */
export interface MainThread {
  call(service: string, method: string, args: readonly unknown[]): Promise<unknown>
  /** Says that this thread is ready to run actors; resolves when it is told to stop. What `runWorker()` does in a thread. */
  serve(): Promise<void>
  /** Whether what is sent through a broker of this thread must go through the main thread: only that has all of its plugins. */
  relays(broker: Broker): boolean
}

/** The link to the main thread, and what it may call by name; shared, so that `runWorker()` of another copy finds it. */
const state = shared('main thread', () => ({
  link: undefined as MainThread | undefined,
  services: new Map<string, Service>(),
}))

/** The main thread as seen from a thread of a worker's pool; `undefined` everywhere else. */
export function mainThread(): MainThread | undefined {
  return state.link
}

/** Set once by a worker thread when it starts. */
export function linkMainThread(main: MainThread): void {
  state.link = main
}

/** Something on the main thread that threads may call by name. */
export type Service = (method: string, args: readonly unknown[]) => unknown

/** Offers something to the threads, under a name. */
export function serveThreads(name: string, service: Service): void {
  state.services.set(name, service)
}

/** The service of that name. */
export function threadService(name: string): Service | undefined {
  return state.services.get(name)
}
