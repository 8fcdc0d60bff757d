/** The `unique` option: as actors and messages have it, and as it travels in a message. */
import { createHash } from 'node:crypto'
import { expected, refuseUnknown, show } from '../checks.js'
import type { Duration } from '../duration.js'
import { InvalidOption } from '../errors.js'
import type { Message } from '../message.js'
import type { MessageContent } from '../options.js'
import { parseDuration } from '../time.js'

/** How long a key is held. */
export type UniqueUntil = 'started' | 'finished' | 'expired'

/** What a send does that finds a message with its key. */
export type OnDuplicate = 'skip' | 'replace' | 'rerun'

/** How the messages of an actor, or one message, are unique. */
export interface UniqueOptions<A extends readonly unknown[] = unknown[]> {
  /** The key of a message: a text, or a function of its arguments. @default all arguments */
  key?: string | ((...args: A) => string) | undefined
  /**
   * Until when the key is held: until the message starts, until it has finished (after its last retry), or until the
   * `ttl` has passed.
   * @default 'finished'
   */
  until?: UniqueUntil | undefined
  /**
   * How long the key is held at most, from when the message may run. With `until: 'expired'` this is how long it is
   * held; otherwise it is only a safety net, for a message whose end nobody sees.
   * @default '7d'
   */
  ttl?: Duration | undefined
  /**
   * What a send does that finds a message with its key. `'skip'`: nothing. `'replace'`: it gives the waiting message its
   * arguments and its delay; if that is running, nothing. `'rerun'`: it also gives a waiting message its arguments; if
   * that is running, it runs afterwards, once, with the latest arguments.
   * @default 'skip'
   */
  onDuplicate?: OnDuplicate | undefined
}

/** As it is in a message. */
export interface UniqueMessage {
  /** The hash of the key, the actor and the queue. */
  readonly key: string
  readonly until: UniqueUntil
  /** In milliseconds. */
  readonly ttl: number
  readonly on_duplicate: OnDuplicate
  /** Of the message as it was stored last. */
  readonly handle?: string | undefined
}

const untils: readonly UniqueUntil[] = ['started', 'finished', 'expired']
const reactions: readonly OnDuplicate[] = ['skip', 'replace', 'rerun']

/** Checks the option of an actor or a message, or that of a message from the wire. */
export function readUniqueOption(value: unknown, name: string): unknown {
  if (typeof value === 'boolean') return value
  if (isFromWire(value)) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw expected("true, or options such as { key: (id) => id, onDuplicate: 'replace' }", value, name)
  }
  refuseUnknown(value, ['key', 'until', 'ttl', 'onDuplicate'], `"${name}"`)
  const { key, until = 'finished', ttl = '7d', onDuplicate = 'skip' } = value as UniqueOptions
  if (key !== undefined && typeof key !== 'string' && typeof key !== 'function') {
    throw expected('a text, or a function of the arguments that returns one', key, `${name}.key`)
  }
  if (!untils.includes(until)) throw expected(`one of ${quoted(untils)}`, until, `${name}.until`)
  if (!reactions.includes(onDuplicate))
    throw expected(`one of ${quoted(reactions)}`, onDuplicate, `${name}.onDuplicate`)
  if (onDuplicate === 'rerun' && until !== 'finished') {
    throw expected(
      '"finished" with onDuplicate: "rerun", which needs to know when a message has ended',
      until,
      `${name}.until`,
    )
  }
  const read = parseDuration(ttl, `${name}.ttl`)
  if (read === 0) throw expected('a duration over 0', ttl, `${name}.ttl`)
  return { key, until, ttl: read, onDuplicate }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ')
}

function isFromWire(value: unknown): value is UniqueMessage {
  const { key, until, ttl, on_duplicate: reaction } = (value ?? {}) as Partial<UniqueMessage>
  return (
    typeof key === 'string' &&
    untils.includes(until as UniqueUntil) &&
    typeof ttl === 'number' &&
    ttl > 0 &&
    ttl <= Number.MAX_SAFE_INTEGER &&
    reactions.includes(reaction as OnDuplicate)
  )
}

/** The option of a message that is stored on conditions; nothing for one that a foreign producer has malformed. */
export function uniqueOf(message: Message): UniqueMessage | undefined {
  const unique = message.option('unique')
  return isFromWire(unique) ? unique : undefined
}

/** What a new message carries, from its option or its actor's as `readUniqueOption` returned it. */
export function stampUnique(asked: unknown, content: MessageContent): UniqueMessage | undefined {
  if (asked === false) return undefined
  if (isFromWire(asked)) return asked
  const own = asked === true ? readUniqueOption({}, 'unique') : asked
  const { key, until, ttl, onDuplicate } = own as { key: unknown } & Required<Omit<UniqueOptions, 'key'>>
  return { key: hashKey(keyOf(key, content), content), until, ttl: ttl as number, on_duplicate: onDuplicate }
}

function keyOf(key: unknown, { actorName, args, kwargs, actorOptions }: MessageContent): string {
  // A message may ask for another reaction, and leaves the key to its actor.
  const chosen = key ?? (actorOptions.unique as { readonly key?: unknown } | undefined)?.key
  if (typeof chosen === 'string') return `text:${chosen}`
  if (typeof chosen !== 'function') return `args:${canonical([args, kwargs ?? {}])}`
  const made: unknown = chosen(...args, ...(kwargs ? [kwargs] : []))
  if (typeof made === 'string') return `text:${made}`
  throw new InvalidOption(
    `Expected "unique.key" of the actor "${actorName}" to return a text; got ${show(made)}.`,
    'unique.key',
  )
}

function hashKey(key: string, { actorName, queueName }: MessageContent): string {
  return createHash('sha256')
    .update(JSON.stringify([queueName, actorName, key]))
    .digest('base64url')
    .slice(0, 32)
}

/** JSON with sorted keys: equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
