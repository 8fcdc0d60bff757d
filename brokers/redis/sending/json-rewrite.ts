/**
 * Changes single fields of a message's JSON and leaves every other character unchanged. Bodies that only pass through
 * (from Python's delay queue back to its queue) may contain values that JavaScript can't represent: integers of any
 * size, `1.0`, `NaN`. They are untrusted and may be malformed, so each character is read only once: no recursion, and
 * no repeated search.
 */

/** The new values of fields: JSON text, or `undefined` to remove the field. */
export interface Changes {
  readonly queueName?: string
  readonly options: Readonly<Record<string, string | undefined>>
}

/**
 * Returns the same message with another queue name and other options.
 * @throws {SyntaxError} when the text isn't an object with an object of options.
 */
export function rewrite(text: string, { queueName, options }: Changes): string {
  const message = readObject(text, 0)
  const inner = message.members.find(({ name }) => name === 'options')
  if (!inner || text[inner.start] !== '{') throw new SyntaxError('The message has no object of options.')
  const rewritten = replace(text, readObject(text, inner.start), options)
  const fields: Record<string, string> = { options: rewritten }
  if (queueName !== undefined) fields.queue_name = JSON.stringify(queueName)
  return text.slice(0, message.start) + replace(text, message, fields) + text.slice(message.end)
}

interface Member {
  readonly name: string
  /** The index of the opening quote of the name. */
  readonly keyStart: number
  readonly start: number
  readonly end: number
}

interface Span {
  readonly start: number
  readonly end: number
  readonly members: readonly Member[]
}

function replace(text: string, { members }: Span, changes: Readonly<Record<string, string | undefined>>): string {
  const parts: string[] = []
  for (const { name, keyStart, start, end } of members) {
    if (!Object.hasOwn(changes, name)) parts.push(text.slice(keyStart, end))
    else if (changes[name] !== undefined) parts.push(text.slice(keyStart, start) + changes[name])
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined && !members.some((member) => member.name === name))
      parts.push(`${JSON.stringify(name)}:${value}`)
  }
  return `{${parts.join(',')}}`
}

/** Returns the members of the object that begins at or after `from`. */
function readObject(text: string, from: number): Span {
  const start = skipSpace(text, from)
  expectAt(text, start, '{')
  const members: Member[] = []
  let at = skipSpace(text, start + 1)
  while (text[at] !== '}') {
    if (members.length > 0) {
      expectAt(text, at, ',')
      at = skipSpace(text, at + 1)
    }
    expectAt(text, at, '"')
    const keyEnd = skipString(text, at)
    const colon = skipSpace(text, keyEnd)
    expectAt(text, colon, ':')
    const valueStart = skipSpace(text, colon + 1)
    const end = skipValue(text, valueStart)
    members.push({ name: JSON.parse(text.slice(at, keyEnd)) as string, keyStart: at, start: valueStart, end })
    at = skipSpace(text, end)
  }
  return { start, end: at + 1, members }
}

const unknownNumbers = ['NaN', 'Infinity']

/** Replaces numbers that Python writes but JSON doesn't have by null, for callers that only read the options. */
export function lenient(text: string): string {
  if (!text.includes('NaN') && !text.includes('Infinity')) return text
  const parts: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') at = skipString(text, at) - 1
    if (character !== 'N' && character !== 'I') continue
    const [word] = unknownNumbers.filter((one) => text.startsWith(one, at))
    if (word === undefined) continue
    parts.push(text.slice(from, text[at - 1] === '-' ? at - 1 : at), 'null')
    from = at + word.length
    at = from - 1
  }
  return parts.join('') + text.slice(from)
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= 32) at++
  return at
}

/** Returns the index after the string that begins at `from`. */
function skipString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  throw new SyntaxError(`A string that begins at ${from} has no end.`)
}

/** Returns the index after the value that begins at `from`. Only brackets and strings matter for that. */
function skipValue(text: string, from: number): number {
  let depth = 0
  let at = from
  while (at < text.length) {
    const character = text[at] as string
    if (character === '"') {
      at = skipString(text, at)
      if (depth === 0) return at
      continue
    }
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (character === ',' || character.charCodeAt(0) <= 32)) return at
    at++
  }
  throw new SyntaxError(`A value that begins at ${from} has no end.`)
}

function expectAt(text: string, at: number, character: string): void {
  if (text[at] !== character) throw new SyntaxError(`Expected ${character} at ${at}; got ${text[at] ?? 'the end'}.`)
}
