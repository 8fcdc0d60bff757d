/**
 * What goes wrong with Redis, told so that one knows what to do. Nothing of what Redis was asked passes here: in it are
 * passwords, and the bodies of messages.
 */
import { BrokerError, BrokerUnusable, ConnectionFailed } from '../../../lib/errors.js'

/** There was no answer: what was asked may have been done, or may still be. */
export class NoReply extends ConnectionFailed {
  override get name(): string {
    return 'ConnectionFailed'
  }
}

/** Where it went wrong. */
export interface FailureContext {
  /** Where Redis is. */
  readonly address: string
  readonly isCluster: boolean
  /** Why there is no connection, where that is known. */
  readonly failure: Error | undefined
}

/** ioredis has no connection to write to: nothing was asked yet. */
export const isUnwritten = ({ message }: Error): boolean =>
  message.startsWith("Stream isn't writeable") || message.startsWith("Cluster isn't ready")

/** What Redis says when it will answer before long. */
const transient = /^-?(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNBLOCKED|NOREPLICAS)\b/

/** Takes away what ioredis adds to an error: the command and all that went with it. */
export function withoutCommand<E>(error: E, depth = 5): E {
  if (!(error instanceof Error) || depth === 0) return error
  const inside = error as Error & { command?: unknown; lastNodeError?: unknown; cause?: unknown }
  delete inside.command
  withoutCommand(inside.lastNodeError, depth - 1)
  withoutCommand(inside.cause, depth - 1)
  return error
}

/** Why there is no connection. */
export function whyAway(error: Error, address: string): Error {
  const { lastNodeError, errors } = error as { lastNodeError?: unknown; errors?: readonly unknown[] }
  if (lastNodeError instanceof Error) return whyAway(lastNodeError, address)
  // A name with several addresses, none of which answers.
  if (error.message === '' && errors) return new Error(errors.map((one) => (one as Error).message).join(', '))
  if (error.message.startsWith('All sentinels are unreachable')) {
    const [, last] = /Last error: (.*)/s.exec(error.message) ?? []
    if (last === undefined) return new ConnectionFailed('no sentinel knows the master')
    // As ioredis puts it when there was no connection at all.
    return new ConnectionFailed(`no sentinel answers${last === 'Connection is closed.' ? '' : `: ${last}`}`)
  }
  const tell = (text: string): Error => new BrokerUnusable(text, { cause: error })
  const { message } = error
  const password = aboutPassword(message, address)
  if (password) return tell(password)
  if (message.startsWith('Unknown RESP type')) {
    return tell(`What answers at ${address} is not Redis, or it speaks TLS: then the URL begins with rediss://.`)
  }
  if (message.includes('wrong version number')) return tell(`What answers at ${address} doesn't speak TLS.`)
  const { code } = error as { code?: unknown }
  if (isAboutCertificate(code)) {
    const advice = 'give its authority in redis: { tls: { ca } }, or use the name that the certificate has'
    return tell(`The certificate of Redis at ${address} is refused (${message}): ${advice}.`)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return tell(
      `This user may not connect to Redis at ${address} (${message}): give permission, on the socket for one.`,
    )
  }
  return error
}

/** What becomes of an error of ioredis. */
export function explain(error: Error, { address, isCluster, failure }: FailureContext): Error {
  if (error instanceof BrokerError) return error
  withoutCommand(error)
  const { message } = error
  if (isUnwritten(error)) return new ConnectionFailed(`Redis at ${address} is away.`, causedBy(failure))
  if (error.name !== 'ReplyError') {
    const why = failure ?? error
    // What ioredis says of a connection that it gave up itself says nothing.
    const plain = /^(Connection is closed|Reached the max retries|Command aborted)/.test(message)
    const text = `The connection to Redis at ${address} was lost before it answered`
    return new NoReply(plain ? `${text}.` : `${text}: ${message}`, { cause: plain ? why : error })
  }
  const password = aboutPassword(message, address)
  if (password) return new BrokerUnusable(password, { cause: error })
  if (isForbidden(message)) {
    const advice = 'Give this user the permissions that the guide names ("Running Redis")'
    return new BrokerUnusable(`Redis at ${address} refused: ${message}. ${advice}.`, {
      cause: error,
    })
  }
  if (message.includes('READONLY')) {
    return new ConnectionFailed('This Redis is a replica now; looking for the master.', { cause: error })
  }
  if (message.includes('OOM command not allowed')) {
    const advice = 'raise maxmemory, or let the workers catch up'
    return new BrokerError(`Redis is full and stores nothing more: ${advice}. (${message})`, { cause: error })
  }
  if (transient.test(message)) return new ConnectionFailed(`Redis can't answer just now: ${message}`, { cause: error })
  const isElsewhere = !isCluster && isAboutCluster(message)
  const Refusal = isElsewhere || /^-?ERR unknown command\b/i.test(message) ? BrokerUnusable : BrokerError
  return new Refusal(`Redis refused: ${message}${aboutCluster(message, isCluster)}`, { cause: error })
}

/** Redis didn't let us into our database. */
export function noDatabase(error: Error, database: unknown, address: string): Error {
  const text =
    `Redis at ${address} refused the database ${database}: ${error.message}. ` +
    'Choose another one in the URL, or raise "databases" in its configuration.'
  return new (transient.test(error.message) ? ConnectionFailed : BrokerUnusable)(text, { cause: error })
}

/** A cause, where there is one. */
export function causedBy(cause: Error | undefined): ErrorOptions | undefined {
  return cause && { cause }
}

function aboutPassword(message: string, address: string): string | undefined {
  const where = `Redis at ${address}`
  if (/^-?NOAUTH\b/.test(message)) return `${where} wants a password; put it in the URL: redis://:password@host.`
  return /^-?(WRONGPASS\b|ERR invalid password)/.test(message)
    ? `${where} refused the password (${message}).`
    : undefined
}

/** A user may not do something: said of a command, or of one inside of a script. */
const isForbidden = (message: string): boolean => /^-?NOPERM\b|ACL failure in script/.test(message)

/** OpenSSL's and Node's codes for a certificate that isn't trusted, is over, or is somebody else's. */
const isAboutCertificate = (code: unknown): boolean =>
  typeof code === 'string' && /CERT|^ERR_TLS_|^UNABLE_TO_(GET|VERIFY)|^CRL_/.test(code)

const isAboutCluster = (message: string): boolean => /^-?(CROSSSLOT|MOVED)\b/.test(message)

function aboutCluster(message: string, isCluster: boolean): string {
  if (!isAboutCluster(message)) return ''
  return isCluster ? '; hash-tag the key, such as {key}' : '; this is a Redis Cluster: use `nodes`'
}
