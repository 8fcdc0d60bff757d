/** How much memory a thread uses: its heap, and memory outside of it (buffers). In megabytes. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface HeapStatistics {
  readonly used_heap_size: number
  readonly external_memory: number
}

export function usedMegabytes({ used_heap_size, external_memory }: HeapStatistics): number {
  return (used_heap_size + external_memory) / 2 ** 20
}

/** Collects all garbage of this thread, and returns the memory that remains in use, in megabytes. */
export function collectGarbage(): number {
  // The only way in a process that was started without --expose-gc.
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  gc()
  return usedMegabytes(getHeapStatistics())
}
