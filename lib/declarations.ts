/**
 * The actors declared in this thread: where, for which broker, and which were replaced.
 *
 * A name stands for one function. During development the same module may be evaluated again (hot reload, a test runner
 * that keeps the process): then the newer actor replaces the older one, which can still send. Any other declaration of
 * the same name is a conflict, which the broker refuses.
 */
import type { Broker } from './broker.js'
import { callSiteOf, sameModule } from './call-site.js'
import { type DeclaredActor, declarationOf, recordDeclaration } from './declared-actors.js'
import { peekBroker, peekSetBroker } from './default-broker.js'
import type { AnyActor } from './middleware.js'
import { shared } from './registry.js'

/** What is known of an actor beyond its public properties. */
export interface Declaration extends DeclaredActor {
  readonly actor: AnyActor
  /** The broker it was given; without one it belongs to the default broker. */
  readonly pinned: Broker | undefined
  /** Declares it on a broker. */
  readonly bind: (broker: Broker) => void
  /** The broker it was last bound to. */
  bound: Broker | undefined
}

const byName = shared('actors by name', () => new Map<string, Declaration[]>())

/**
 * Registers an actor, and replaces its older versions.
 * @param caller The function that was called to declare it.
 */
export function declare(
  actor: AnyActor,
  pinned: Broker | undefined,
  bind: (broker: Broker) => void,
  // biome-ignore lint/complexity/noBannedTypes: any function
  caller: Function,
): void {
  const one: Declaration = { actor, pinned, bind, callSite: callSiteOf(caller), bound: undefined, replaced: false }
  const namesakes = byName.get(actor.actorName) ?? []
  const replaced = namesakes.filter((other) => replaces(one, other))
  for (const other of replaced) other.replaced = true
  recordDeclaration(actor, one)
  for (const broker of new Set([pinned, ...replaced.map(({ bound }) => bound)])) if (broker) bind(broker)
  byName.set(actor.actorName, [...namesakes.filter((other) => !other.replaced), one])
}

/**
 * Declares an actor on a broker, and records it. For a replaced actor only its queue is declared: it can still send.
 */
export function declareOn(broker: Broker, actor: AnyActor): void {
  const one = find(actor)
  if (one?.replaced) broker.declareQueue(actor.queueName)
  else broker.declareActor(actor)
  if (one) one.bound = broker
}

/** Whether it is the same actor, created again by a module that was evaluated again. */
function replaces(one: Declaration, other: Declaration): boolean {
  const { NODE_ENV } = process.env
  if (NODE_ENV === 'production' || one.pinned !== other.pinned) return false
  if (sameModule(one.callSite, other.callSite)) return true
  // Frameworks bundle a module into several pages, each of which evaluates it.
  return (
    NODE_ENV === 'development' &&
    one.callSite.synchronousRun !== other.callSite.synchronousRun &&
    sameCode(one.actor, other.actor)
  )
}

/** Whether both have the same code and options, as far as that is visible. */
function sameCode(one: AnyActor, other: AnyActor): boolean {
  return one.queueName === other.queueName && String(one.fn) === String(other.fn)
}

/**
 * Whether an actor may send although another one has its name on the broker: in a process that only sends, one module
 * in two bundles is harmless. A worker must know which one to run.
 */
export function maySendBeside(actor: AnyActor, other: AnyActor | undefined): boolean {
  if (other === undefined || find(actor)?.callSite.module === find(other)?.callSite.module) return false
  return process.env.NODE_ENV === 'development' ? actor.queueName === other.queueName : sameCode(actor, other)
}

/** The broker an actor belongs to at the moment. Unlike reading `actor.broker`, this doesn't bind it. */
export function boundBroker(actor: AnyActor): Broker | undefined {
  const one = find(actor)
  return one?.pinned ?? (one?.bound && (peekSetBroker() ?? one.bound))
}

/** The actor of that name, preferably on that queue. Worker threads find their functions by it. */
export function findActor(actorName: string, queueName: string): AnyActor | undefined {
  const namesakes = byName.get(actorName)
  if (!namesakes) return undefined
  return (namesakes.findLast(({ actor }) => actor.queueName === queueName) ?? namesakes.at(-1))?.actor
}

/** Binds every actor without a broker, when a worker on the default broker starts. */
export function bindActors(broker: Broker): void {
  for (const { actor, pinned, bind } of all()) {
    if (!pinned && broker.actors.get(actor.actorName) !== actor) bind(broker)
  }
}

/** The error text if a broker has no actors although some were declared. */
export function actorsElsewhere(broker: Broker): string | undefined {
  const others = all().filter(({ pinned, bound }) => (pinned ?? bound) !== broker)
  const [first] = others
  if (!first) return undefined
  const owner = first.pinned ?? peekSetBroker() ?? first.bound ?? peekBroker()
  const more = others.length > 1 ? ` and ${others.length - 1} more` : ''
  const whose =
    owner === undefined || owner === broker
      ? "don't belong to it yet"
      : `belong to another broker (${owner.location}), ${first.pinned ? 'which they were given' : 'the default one'}`
  return (
    `The actors that were declared (${first.actor.actorName}${more}) ${whose}. Call setBroker() with the broker of this ` +
    'worker before it starts, or give that to each of them: actor(fn, { broker }).'
  )
}

function all(): Declaration[] {
  return [...byName.values()].flat()
}

function find(actor: AnyActor): Declaration | undefined {
  return declarationOf(actor) as Declaration | undefined
}
