/** Reads values of the state: all reads of one turn of the event loop are one call. */
import type { StateBackend } from '../state/backend.js'
import { TurnBatch } from '../turn-batch.js'

interface Read {
  readonly key: string
  value: string | undefined
}

/** The most keys of a call. */
const maxKeys = 500

const readsOf = new WeakMap<StateBackend, TurnBatch<Read>>()

/** The value under a key. */
export async function readInTurn(state: StateBackend, key: string): Promise<string | undefined> {
  let reads = readsOf.get(state)
  if (!reads) {
    reads = new TurnBatch<Read>((batch) => readAll(state, batch), { most: maxKeys })
    readsOf.set(state, reads)
  }
  const read: Read = { key, value: undefined }
  await reads.add(read)
  return read.value
}

async function readAll(state: StateBackend, batch: readonly Read[]): Promise<void> {
  const keys = [...new Set(batch.map(({ key }) => key))]
  const values = await state.read(keys)
  const found = new Map(keys.map((key, index) => [key, values[index]]))
  for (const read of batch) read.value = found.get(read.key)
}
