/** Errors of actors with a `schema` or a `version`: their arguments are refused. */
import { DramatisError } from './dramatis-error.js'
import { memberPath } from './property-path.js'
import { cut, messageOf } from './thrown.js'

/** One reason why the schemas of an actor refuse arguments. */
export interface ArgumentIssue {
  /** What was expected, in the words of the schema's library. */
  readonly message: string
  /** Where: the index of the argument, then the keys within it. Empty if it is about the list as a whole. */
  readonly path: readonly (string | number)[]
}

/** Arguments that the `schema` of an actor refuses: when they are sent, or where the actor runs. It isn't retried then. */
export class InvalidArguments extends DramatisError {
  constructor(
    readonly actorName: string,
    readonly issues: readonly ArgumentIssue[],
    /** Of many messages that are sent at once (`sendMany`), which one it is about, from 0. */
    readonly index?: number | undefined,
  ) {
    const shown = issues
      .slice(0, 5)
      .map(({ path, message }) => `${path.reduce(memberPath, 'args')}: ${cut(message, 500)}`)
    if (issues.length > shown.length) shown.push(`and ${issues.length - shown.length} more`)
    const these = index === undefined ? 'these arguments' : `the arguments at index ${index}`
    super(`The actor "${actorName}" can't take ${these}. ${shown.join('; ')}`)
  }
}

/**
 * A message was made by a newer version of its actor than the one that runs here (`version`), as happens while a new
 * release is deployed. It waits for a newer worker, with no attempt counted.
 */
export class UnknownVersion extends DramatisError {
  constructor(
    readonly actorName: string,
    /** The version of the message. */
    readonly messageVersion: number,
    /** The version of the actor. */
    readonly actorVersion: number,
  ) {
    super(
      `The message is of version ${messageVersion} of the actor "${actorName}", and this worker has version ${actorVersion}.`,
    )
  }
}

/** The `migrate` of an actor failed. The message is not retried. */
export class MigrationFailed extends DramatisError {
  constructor(
    readonly actorName: string,
    /** The version of the message. */
    readonly messageVersion: number,
    options: { cause: unknown },
  ) {
    super(
      `The arguments of version ${messageVersion} can't be migrated for the actor "${actorName}": ${messageOf(options.cause)}`,
      options,
    )
  }
}
