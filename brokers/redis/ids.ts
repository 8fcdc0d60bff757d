/**
 * The ids of messages in Redis. Ours are UUIDs, but other producers may use any bytes, valid UTF-8 or not. So an id is
 * held as a string with one character per byte ("latin1"): its length counts bytes, it can be the key of a map, and it
 * is sent back to Redis unchanged. For an ASCII id that is the plain text.
 */
import { isUtf8 } from 'node:buffer'

/** Turns an id into the argument of a command; or many joined ids, since checking all in one step is much faster. */
export function idArgument(id: string): string | Buffer {
  return isPlain(id) ? id : Buffer.from(id, 'latin1')
}

/** Matches a byte above 127, which would take two bytes when sent as text. */
function isPlain(id: string): boolean {
  return Buffer.byteLength(id) === id.length
}

const escaped = 'hex:'

/** Formats an id for users, who pass it back: as text if it is text, otherwise as hexadecimal digits. */
export function showId(id: Buffer): string {
  const text = isUtf8(id) ? id.toString() : escaped
  return text.startsWith(escaped) ? `${escaped}${id.toString('hex')}` : text
}

/** Returns the id that `showId` formatted as `shown`. */
export function readShownId(shown: string): string {
  const bytes = shown.startsWith(escaped) ? Buffer.from(shown.slice(escaped.length), 'hex') : Buffer.from(shown)
  return bytes.toString('latin1')
}
