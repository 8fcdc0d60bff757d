/**
 * Delays the termination of a worker thread while it is inside a native call that would not survive it: some native
 * modules (`libsql` and `better-sqlite3`, for two) abort the whole process if V8 is terminated in the middle of a call.
 *
 * It consists of two numbers in shared memory: the thread records that it is inside, the main thread that it must not
 * enter any more. Each writes its own before it reads the other's, so one of them always sees the other.
 */

const inside = 0
const closing = 1

/** How long the main thread waits for a native call to end, in milliseconds. A SQLite call takes a few at most. */
const maxWait = 1000

// — In the thread ————————————————————————————————————————————————————————————————————————————————————————

/** The guard of this thread; `undefined` on the main thread, and in threads that aren't ours. */
let own: Int32Array | undefined

/** Called once by a worker thread when it starts. */
export function linkTerminationGuard(buffer: SharedArrayBuffer): void {
  own = new Int32Array(buffer)
}

/** Call it before such a native call. It doesn't return if this thread is about to be terminated. */
export function enterNative(): void {
  if (!own) return
  Atomics.store(own, inside, 1)
  if (Atomics.load(own, closing) === 0) return
  leaveNative()
  Atomics.wait(own, closing, 1)
}

/** Call it after the native call, also if that threw. */
export function leaveNative(): void {
  if (!own) return
  Atomics.store(own, inside, 0)
  Atomics.notify(own, inside)
}

// — On the main thread ———————————————————————————————————————————————————————————————————————————————————

/** The guards of all running threads: Node terminates these as well when the process exits. */
const guards = new Set<TerminationGuard>()

export class TerminationGuard {
  /** For `linkTerminationGuard()` in the thread. */
  readonly buffer = new SharedArrayBuffer(8)
  readonly #state = new Int32Array(this.buffer)

  constructor() {
    if (guards.size === 0) process.on('exit', closeAll)
    guards.add(this)
  }

  /**
   * Call it right before the thread is terminated. Blocks until the thread is outside of native calls, and keeps it
   * there.
   */
  close(timeout = maxWait): void {
    Atomics.store(this.#state, closing, 1)
    const deadline = performance.now() + timeout
    while (Atomics.load(this.#state, inside) === 1) {
      const left = deadline - performance.now()
      if (left <= 0) return
      Atomics.wait(this.#state, inside, 1, left)
    }
  }

  /** The thread has ended. */
  release(): void {
    guards.delete(this)
    if (guards.size === 0) process.off('exit', closeAll)
  }
}

function closeAll(): void {
  const deadline = performance.now() + maxWait
  for (const guard of guards) guard.close(Math.max(0, deadline - performance.now()))
}
