/**
 * The ids that Redis knows messages by. Ours are UUIDs, but a producer of another kind may use any bytes, valid UTF-8 or
 * not. So an id is held as a string of one character a byte ("latin1"): its length counts bytes, it can be the key
 * of a map, and it goes back to Redis as it came. For an ASCII id that is the plain text.
 */
import { isUtf8 } from 'node:buffer'

/** An id as the argument of a command; or many of one length, put together, since one look at all is much quicker. */
export function idArgument(id: string): string | Buffer {
  return isPlain(id) ? id : Buffer.from(id, 'latin1')
}

/** A byte above 127 takes two bytes when it is written as text. */
function isPlain(id: string): boolean {
  return Buffer.byteLength(id) === id.length
}

const escaped = 'hex:'

/** How an id is shown to people, and given back by them: as text where it is text, else in hexadecimal digits. */
export function showId(id: Buffer): string {
  const text = isUtf8(id) ? id.toString() : escaped
  return text.startsWith(escaped) ? `${escaped}${id.toString('hex')}` : text
}

/** The id that was shown as `shown`. */
export function readShownId(shown: string): string {
  const bytes = shown.startsWith(escaped) ? Buffer.from(shown.slice(escaped.length), 'hex') : Buffer.from(shown)
  return bytes.toString('latin1')
}
