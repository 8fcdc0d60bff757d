/**
 * Options: which ones an actor or a message may have, which middleware handles them, and their names on the wire.
 *
 * A middleware declares its options twice under the same names: as types, by declaration merging into the two
 * interfaces of actor-options.ts, and as `OptionSpec`s, which check values when an actor is declared.
 */

import { checkSettings, expected, unknownOption } from './checks.js'
import { InvalidOption } from './errors.js'
import { shared } from './registry.js'
import { parseDuration } from './time.js'

/** How an option is read. */
export interface OptionSpec {
  /**
   * Its name in a message on the wire; absent if it only makes sense on an actor (because it contains code, for
   * example).
   */
  readonly wire?: string | undefined
  /** Checks a value and returns its normal form (durations in milliseconds, actors as names). */
  read(value: unknown, name: string): unknown
  /**
   * What each message carries of it, from the normal form of its own option or of its actor's; `undefined` for nothing.
   * For an option that must be known where the message is stored, and not only where it runs. @default only its own option
   */
  stamp?(value: unknown, content: MessageContent): unknown
}

/** A message that is being created. */
export interface MessageContent {
  readonly actorName: string
  readonly queueName: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>> | undefined
  /** The options of its actor. */
  readonly actorOptions: Readonly<Record<string, unknown>>
}

/** Every declared option by its camelCase name. */
const optionSpecs = shared('options', () => new Map<string, OptionSpec>())

/** The same by their names on the wire, with the camelCase name for errors. */
const optionSpecsOnWire = shared(
  'options on the wire',
  () => new Map<string, { readonly name: string; readonly spec: OptionSpec }>(),
)

/** Those of them that every message carries. */
const stampedOptions = shared(
  'stamped options',
  () => new Map<string, { readonly wire: string; readonly stamp: NonNullable<OptionSpec['stamp']> }>(),
)

/**
 * Declares options, so that actors may use them. A middleware module calls it when it is loaded. A plugin with options
 * must be imported before the actors that use them.
 */
export function declareOptions(specs: Readonly<Record<string, OptionSpec>>): void {
  checkSettings(specs, 'declareOptions')
  for (const [name, spec] of Object.entries(specs)) {
    if (typeof spec?.read !== 'function') throw expected("an option's spec, { wire, read(value, name) {} }", spec, name)
    optionSpecs.set(name, spec)
    if (spec.wire === undefined) continue
    optionSpecsOnWire.set(spec.wire, { name, spec })
    if (spec.stamp) stampedOptions.set(name, { wire: spec.wire, stamp: spec.stamp })
  }
}

/** Both names of a declared option; of any other its only one. */
export function namesOf(name: string): readonly string[] {
  const wire = optionSpecs.get(name)?.wire
  return wire === undefined ? [name] : [name, wire]
}

// — Readers, to build specs from —————————————————————————————————————————————————————————————————————————

/** Reads a duration; returns milliseconds. */
export const duration = parseDuration

/** Reads a whole number, 0 or more. */
export function count(value: unknown, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw expected('a whole number from 0 up', value, name)
}

/** Reads `true` or `false`. */
export function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw expected('true or false', value, name)
}

/** Reads a function. */
export function callback(value: unknown, name: string): unknown {
  if (typeof value === 'function') return value
  throw expected('a function', value, name)
}

/** Reads an actor or the name of one; returns the name. */
export function actorReference(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  const actorName = (value as { actorName?: unknown } | null)?.actorName
  if (typeof actorName === 'string') return actorName
  throw expected('an actor or the name of one', value, name)
}

/** Accepts `null` (meaning "no limit"); reads anything else with `read`. */
export function nullable<T>(read: (value: unknown, name: string) => T): (value: unknown, name: string) => T | null {
  return (value, name) => (value === null ? null : read(value, name))
}

// — Using them ———————————————————————————————————————————————————————————————————————————————————————————

/**
 * Checks the options of an actor and returns them in normal form.
 * @throws {InvalidOption} for an unknown name or an invalid value.
 */
export function readActorOptions(options: object, where: string): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const spec = optionSpecs.get(name) ?? unknownOption(name, optionSpecs.keys(), where, pluginHint)
    if (value !== undefined) read[name] = spec.read(value, name)
  }
  return Object.freeze(read)
}

/**
 * Checks the options of one message and returns what is sent: snake_case names, plain JSON values.
 * @throws {InvalidOption} for an unknown name, one that only an actor can have, or an invalid value.
 */
export function readMessageOptions(options: object, where: string): Record<string, unknown> {
  const wire: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const spec = optionSpecs.get(name) ?? unknownOption(name, optionSpecs.keys(), where, pluginHint)
    if (spec.wire === undefined) {
      throw new InvalidOption(`The option "${name}" belongs on the actor; a message can't carry it.`, name)
    }
    if (value !== undefined) wire[spec.wire] = spec.read(value, name)
  }
  return wire
}

/** Whether an actor with these options has one that each message carries. */
export function stampsMessages(options: Readonly<Record<string, unknown>>): boolean {
  for (const name in options) if (stampedOptions.has(name)) return true
  return false
}

/** Adds the options that each message carries to those of a new message, which are in wire names. */
export function stampOptions(own: Record<string, unknown>, content: MessageContent): void {
  for (const [name, { wire, stamp }] of stampedOptions) {
    const value = own[wire] ?? content.actorOptions[name]
    if (value === undefined) continue
    const stamped = stamp(value, content)
    if (stamped === undefined) delete own[wire]
    else own[wire] = stamped
  }
}

/**
 * Checks the options of a message from any producer: known options must have valid values. Unknown options are ignored,
 * `null` counts as absent, and the priority is up to each broker.
 * @throws {InvalidOption}
 */
export function checkWireOptions(options: Readonly<Record<string, unknown>>): void {
  for (const wire in options) {
    const found = optionSpecsOnWire.get(wire)
    if (found && options[wire] !== null && wire !== 'broker_priority') found.spec.read(options[wire], found.name)
  }
}

/**
 * The option that applies to a message: its own, else its actor's, else the fallback. `null` is a value ("no limit") if
 * the option accepts it, and absent otherwise.
 * @param name The option's camelCase name, as declared.
 */
export function effective<T>(
  message: { option(name: string): unknown },
  actor: { readonly options: Readonly<Record<string, unknown>> } | undefined,
  name: string,
  fallback: T,
): T {
  const spec = optionSpecs.get(name)
  const own = spec?.wire === undefined ? undefined : message.option(spec.wire)
  if (spec && own !== undefined) {
    const read = readOwn(own, name, spec)
    if (read !== undefined) return read as T
  }
  const inherited = actor?.options[name]
  return inherited === undefined ? fallback : (inherited as T)
}

/** A count in the options of a message, by its name on the wire; 0 if a producer wrote anything else. */
export function countOf({ options }: { readonly options: Readonly<Record<string, unknown>> }, name: string): number {
  const count = options[name]
  return Number.isSafeInteger(count) && (count as number) > 0 ? (count as number) : 0
}

/** An option of a message in normal form; `undefined` for a `null` that counts as absent. */
function readOwn(own: unknown, name: string, spec: OptionSpec): unknown {
  if (own !== null) return spec.read(own, name)
  try {
    return spec.read(null, name)
  } catch {
    return undefined
  }
}

const pluginHint = ' If a plugin brings it, import that plugin before the actors that use it.'

declareOptions({
  priority: {
    wire: 'broker_priority',
    read(value, name) {
      if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 9) return value
      throw expected('a whole number from 0 to 9', value, name)
    },
    // A broker must find it in the message itself.
    stamp: (value) => value,
  },
})
