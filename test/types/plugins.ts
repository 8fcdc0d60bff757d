/** Plugins: any object with the hooks it cares about, and options of its own by declaration merging. */
import { expectTypeOf } from 'expect-type'
import {
  actor,
  type Broker,
  type Hooks,
  type Message,
  type Middleware,
  type Outcome,
  Retries,
  type Settlement,
  Worker,
} from '../../lib/index.js'

declare module '../../lib/index.js' {
  interface MessageOptions {
    /** What a plugin of this test understands. */
    tenant?: string
  }
  interface ActorOptions {
    audit?: (message: Message) => void
  }
}

const timing: Middleware = {
  async aroundProcess(message, next) {
    expectTypeOf(message).toEqualTypeOf<Message>()
    expectTypeOf(next).returns.resolves.toBeUnknown()
    return next()
  },
  aroundActor(message, next, broker) {
    expectTypeOf(broker).toEqualTypeOf<Broker>()
    expectTypeOf(next).returns.resolves.toBeUnknown()
    return message.args.length > 0 ? next() : undefined
  },
  afterSettleMessage(_, settlement) {
    expectTypeOf(settlement).toEqualTypeOf<Settlement>()
    expectTypeOf(settlement.decision).toEqualTypeOf<'ack' | 'retry' | 'dead-letter' | 'cancel' | 'skip' | 'requeue'>()
  },
  afterProcessMessage(message, outcome, broker) {
    expectTypeOf(outcome).toEqualTypeOf<Outcome>()
    expectTypeOf(outcome.error).toEqualTypeOf<Error | undefined>()
    expectTypeOf(broker).toEqualTypeOf<Broker>()
    return message.messageId.length > 0 ? undefined : Promise.resolve()
  },
}

export async function aPluginIsAnyObjectWithHooks(broker: Broker): Promise<void> {
  broker.use(timing)
  broker.use({ name: 'small', beforeEnqueue: (message) => console.log(message.actorName) }, { before: Retries })
  // @ts-expect-error should be known: it is `beforeEnqueue`
  broker.use({ beforeEnqueu: () => {} })
  // @ts-expect-error should be the class of a plugin
  broker.use(timing, { before: 'Retries' })
  // @ts-expect-error should be a function
  broker.use({ beforeAck: 'now' })
}

/** A class must say the types of its parameters itself, or take the type of the hook as a whole. */
class Counting implements Middleware {
  sent = 0
  settled = 0
  beforeEnqueue(message: Message, delay: number | undefined, broker: Broker): void {
    this.sent += message.queueName === broker.location && delay === undefined ? 1 : 2
  }
  readonly afterAck: Hooks['afterAck'] = (message) => {
    expectTypeOf(message).toEqualTypeOf<Message>()
    this.settled++
  }
}

export async function aPluginMayBeAClass(broker: Broker): Promise<void> {
  broker.use(new Counting(), { after: Retries })
  // @ts-expect-error should be an instance
  broker.use(Counting)
}

export async function aPluginBringsOptions(): Promise<void> {
  const one = actor(() => {}, { actorName: 'one', tenant: 'acme', audit: (message) => console.log(message.messageId) })
  await one.sendWithOptions({ tenant: 'other' })
  // @ts-expect-error should be a string
  await one.sendWithOptions({ tenant: 1 })
  // @ts-expect-error should be an option of the actor
  await one.sendWithOptions({ audit: () => {} })
}

export function aWorkerTakesItsOptionsOnly(broker: Broker): void {
  new Worker(broker, { threads: 2, concurrency: 8, queues: ['a'], prefetch: 10, shutdownTimeout: '5s', modules: ['x'] })
  // @ts-expect-error should be known: it is `threads`
  new Worker(broker, { thread: 2 })
  // @ts-expect-error should be an array
  new Worker(broker, { queues: 'a,b' })
  // @ts-expect-error should be given a broker
  new Worker({ threads: 2 })
}

/** The interface that hooks receive, or the class itself. */
export const watchesWorkers: Middleware = {
  afterWorkerBoot(worker) {
    const queues: readonly string[] = worker.queues
    void queues
  },
  beforeWorkerShutdown(worker: Worker) {
    void worker.stop()
  },
}
