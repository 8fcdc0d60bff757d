/** State in memory that can't be reached while the connection is lost. */
import { MemoryState } from '../brokers/memory/index.js'
import type { StatePage, StatePageOptions } from '../lib/state/backend.js'
import type { Refusal, StateChange } from '../lib/state/changes.js'
import type { Clock } from '../lib/time.js'
import { assertConnected, type FaultSwitches } from './faults.js'

export class FaultyState extends MemoryState {
  readonly #faults: FaultSwitches

  constructor(options: { clock: Clock; faults: FaultSwitches }) {
    super(options)
    this.#faults = options.faults
  }

  override async read(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    assertConnected(this.#faults)
    return super.read(keys)
  }

  override async readSet(key: string, among?: readonly string[]): Promise<readonly string[]> {
    assertConnected(this.#faults)
    return super.readSet(key, among)
  }

  override async size(key: string): Promise<number> {
    assertConnected(this.#faults)
    return super.size(key)
  }

  override async apply(changes: readonly StateChange[]): Promise<Refusal | undefined> {
    assertConnected(this.#faults)
    return super.apply(changes)
  }

  override async list(prefix: string, options?: StatePageOptions): Promise<StatePage> {
    assertConnected(this.#faults)
    return super.list(prefix, options)
  }
}
