/**
 * Random ids (UUID version 4, RFC 9562), of which every message needs one or two: `crypto.randomUUID()` in batches. Its
 * own strings consist of many pieces, which are concatenated when they are first read; these are flat.
 */
import { randomFillSync } from 'node:crypto'

const length = 36
const batchSize = 128
const random = new Uint8Array(16 * batchSize)
const digits = Buffer.from('0123456789abcdef')
const dash = '-'.charCodeAt(0)

let pool = ''
let next = 0

/** A new id: 122 bits from the system's secure source. */
export function uuid(): string {
  if (next === pool.length) refill()
  next += length
  return pool.slice(next - length, next)
}

function refill(): void {
  randomFillSync(random)
  const text = Buffer.allocUnsafe(length * batchSize)
  let at = 0
  for (let index = 0; index < random.length; index++) {
    const byteIndex = index % 16
    let byte = random[index] as number
    if (byteIndex === 6) byte = (byte & 0x0f) | 0x40
    if (byteIndex === 8) byte = (byte & 0x3f) | 0x80
    if (byteIndex === 4 || byteIndex === 6 || byteIndex === 8 || byteIndex === 10) text[at++] = dash
    text[at++] = digits[byte >> 4] as number
    text[at++] = digits[byte & 15] as number
  }
  pool = text.toString('latin1')
  next = 0
}
