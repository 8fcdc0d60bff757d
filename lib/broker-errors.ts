/** The errors of brokers. */
import { DramatisError } from './dramatis-error.js'

/** The base of errors of a broker. */
export class BrokerError extends DramatisError {}

/** The broker can't be reached, or the connection was lost. */
export class ConnectionFailed extends BrokerError {}

/** The broker was used after `close()`. */
export class BrokerClosed extends BrokerError {
  constructor() {
    super('The broker is closed.')
  }
}

/** The broker could not store a message within `enqueueTimeout`. */
export class EnqueueTimeout extends BrokerError {
  constructor(
    readonly timeout: number,
    /** `reason` says why, in words. */
    { cause, reason }: ErrorOptions & { reason?: string } = {},
  ) {
    const why = reason === undefined ? '.' : `: ${reason}`
    const options = cause === undefined ? undefined : { cause }
    super(`The message could not be stored within ${timeout} ms (enqueueTimeout); it was not sent${why}`, options)
  }
}

/** A queue didn't become empty within the timeout of `join()`. */
export class QueueJoinTimeout extends BrokerError {
  constructor(
    readonly queueName: string,
    readonly timeout: number,
    options?: { cause?: Error | undefined },
  ) {
    const why = options?.cause ? ` ${options.cause.message}` : ''
    super(
      `The queue "${queueName}" was not empty after ${timeout} ms.${why}`,
      options?.cause ? { cause: options.cause } : {},
    )
  }
}

/**
 * The broker can't be used as it is configured, and waiting won't help: a wrong password, a missing permission, a
 * folder that doesn't exist. A worker doesn't start then.
 */
export class BrokerUnusable extends BrokerError {}

/** There is a database or a server, but this version can't use it. */
export class IncompatibleStore extends BrokerUnusable {}

/** An optional package that this broker needs isn't installed. */
export class DependencyMissing extends BrokerUnusable {
  constructor(
    readonly packageName: string,
    neededFor: string,
    options?: ErrorOptions,
  ) {
    super(`${neededFor} needs the package "${packageName}". Install it: npm install ${packageName}`, options)
  }
}

/** A feature needs state, and the broker has no place to keep it. */
export class StateMissing extends BrokerError {
  constructor(
    /** What needs it. */
    readonly feature: string,
    brokerName: string,
  ) {
    super(
      `${feature} needs state, and this ${brokerName} keeps none. Give it a place: ` +
        `new ${brokerName}({ state: new RedisState({ url }) }), or a SQLiteState.`,
    )
  }
}
