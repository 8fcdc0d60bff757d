/**
 * Turns errors of ioredis and Redis into ours, with texts that say what to do. Nothing of the command itself gets into
 * an error, since it may contain passwords and the bodies of messages.
 */
import { BrokerError, BrokerUnusable, ConnectionFailed } from '../../../lib/errors.js'

/** There was no reply: the command may have been executed, or may still be. */
export class NoReply extends ConnectionFailed {
  override get name(): string {
    return 'ConnectionFailed'
  }
}

/** The connection on which a call failed. */
export interface FailureContext {
  readonly address: string
  readonly isCluster: boolean
  /** Why there is no connection, if known. */
  readonly failure: Error | undefined
}

/** Whether ioredis had no connection to write to, so that the command was not sent. */
export const isUnwritten = ({ message }: Error): boolean =>
  message.startsWith("Stream isn't writeable") || message.startsWith("Cluster isn't ready")

/** Error replies of a Redis that will be able to serve commands soon. */
const transient = /^-?(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNBLOCKED|NOREPLICAS)\b/

/** Removes the command and its arguments, which ioredis adds to an error. */
export function withoutCommand<E>(error: E, depth = 5): E {
  if (!(error instanceof Error) || depth === 0) return error
  const inside = error as Error & { command?: unknown; lastNodeError?: unknown; cause?: unknown }
  delete inside.command
  withoutCommand(inside.lastNodeError, depth - 1)
  withoutCommand(inside.cause, depth - 1)
  return error
}

/** Explains why there is no connection. */
export function explainOutage(error: Error, address: string): Error {
  const { lastNodeError, errors } = error as { lastNodeError?: unknown; errors?: readonly unknown[] }
  if (lastNodeError instanceof Error) return explainOutage(lastNodeError, address)
  // A host name with several addresses, none of which could be reached.
  if (error.message === '' && errors) return new Error(errors.map((one) => (one as Error).message).join(', '))
  if (error.message.startsWith('All sentinels are unreachable')) {
    const [, last] = /Last error: (.*)/s.exec(error.message) ?? []
    if (last === undefined) return new ConnectionFailed('no sentinel knows the master')
    // "Connection is closed." is what ioredis reports when there was no connection at all.
    return new ConnectionFailed(`no sentinel answers${last === 'Connection is closed.' ? '' : `: ${last}`}`)
  }
  const unusable = (text: string): Error => new BrokerUnusable(text, { cause: error })
  const { message } = error
  const password = aboutPassword(message, address)
  if (password) return unusable(password)
  if (message.startsWith('Unknown RESP type')) {
    return unusable(`The server at ${address} is not Redis, or it requires TLS; for TLS use a URL with rediss://.`)
  }
  if (message.includes('wrong version number')) {
    return unusable(`The server at ${address} doesn't support TLS; without TLS use a URL with redis://.`)
  }
  const { code } = error as { code?: unknown }
  if (isAboutCertificate(code)) {
    const advice = 'pass the certificate authority in redis: { tls: { ca } }, or use the host name of the certificate'
    return unusable(`The certificate of Redis at ${address} was rejected (${message}): ${advice}.`)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return unusable(
      `No permission to connect to Redis at ${address} (${message}): check the permissions of the socket.`,
    )
  }
  return error
}

/** Turns an error of ioredis into one of ours. */
export function explain(error: Error, { address, isCluster, failure }: FailureContext): Error {
  if (error instanceof BrokerError) return error
  withoutCommand(error)
  const { message } = error
  if (isUnwritten(error)) return new ConnectionFailed(`Redis at ${address} is unreachable.`, causedBy(failure))
  if (error.name !== 'ReplyError') {
    const why = failure ?? error
    // The texts that ioredis has for a connection that it closed itself explain nothing.
    const plain = /^(Connection is closed|Reached the max retries|Command aborted)/.test(message)
    const text = `The connection to Redis at ${address} was lost before the reply`
    return new NoReply(plain ? `${text}.` : `${text}: ${message}`, { cause: plain ? why : error })
  }
  const password = aboutPassword(message, address)
  if (password) return new BrokerUnusable(password, { cause: error })
  if (isForbidden(message)) {
    const advice = 'Grant this user the permissions that the guide lists ("Running Redis")'
    return new BrokerUnusable(`Redis at ${address} refused: ${message}. ${advice}.`, {
      cause: error,
    })
  }
  if (message.includes('READONLY')) {
    return new ConnectionFailed('This Redis is now a replica; reconnecting to the master.', { cause: error })
  }
  if (message.includes('OOM command not allowed')) {
    const advice = 'raise maxmemory, or let the workers catch up'
    return new BrokerError(`Redis is out of memory: ${advice}. (${message})`, { cause: error })
  }
  if (transient.test(message))
    return new ConnectionFailed(`Redis is temporarily unavailable: ${message}`, { cause: error })
  const isElsewhere = !isCluster && isAboutCluster(message)
  const Refusal = isElsewhere || /^-?ERR unknown command\b/i.test(message) ? BrokerUnusable : BrokerError
  return new Refusal(`Redis refused: ${message}${aboutCluster(message, isCluster)}`, { cause: error })
}

/** The error of a Redis that refused to select our database. */
export function noDatabase(error: Error, database: unknown, address: string): Error {
  const text =
    `Redis at ${address} refused the database ${database}: ${error.message}. ` +
    'Choose another one in the URL, or raise "databases" in its configuration.'
  return new (transient.test(error.message) ? ConnectionFailed : BrokerUnusable)(text, { cause: error })
}

/** The options of an error with this cause, if there is one. */
export function causedBy(cause: Error | undefined): ErrorOptions | undefined {
  return cause && { cause }
}

function aboutPassword(message: string, address: string): string | undefined {
  const where = `Redis at ${address}`
  if (/^-?NOAUTH\b/.test(message)) return `${where} requires a password; put it in the URL: redis://:password@host.`
  return /^-?(WRONGPASS\b|ERR invalid password)/.test(message)
    ? `${where} refused the password (${message}).`
    : undefined
}

/** Whether the user lacks a permission, for a command itself or for one inside a script. */
const isForbidden = (message: string): boolean => /^-?NOPERM\b|ACL failure in script/.test(message)

/** Whether it is a code of OpenSSL or Node for a certificate that is untrusted, expired, or made for another host. */
const isAboutCertificate = (code: unknown): boolean =>
  typeof code === 'string' && /CERT|^ERR_TLS_|^UNABLE_TO_(GET|VERIFY)|^CRL_/.test(code)

const isAboutCluster = (message: string): boolean => /^-?(CROSSSLOT|MOVED)\b/.test(message)

function aboutCluster(message: string, isCluster: boolean): string {
  if (!isAboutCluster(message)) return ''
  return isCluster ? '; add a hash tag to the key, such as {key}' : '; this is a Redis Cluster: use `nodes`'
}
