/**
 * Loads the Lua scripts, one operation per file in `scripts/`. A line `--@include name` includes the file `_name.lua`.
 */
import { createHash } from 'node:crypto'
import type { Client } from './connection/client.js'
import { texts } from './script-texts.js'

/** An argument of a script. */
export type Argument = string | number | Buffer

/** A script with its text and the SHA-1 digest of it, by which Redis finds a script that it has already loaded. */
export interface Script {
  readonly name: string
  readonly source: string
  readonly sha: string
}

const loaded = new Map<string, Script>()

/** Assembles all scripts, once. */
export function loadScripts(): void {
  if (loaded.size > 0) return
  for (const file of Object.keys(texts)) {
    const [, name] = /^([^_].*)\.lua$/.exec(file) ?? []
    if (name === undefined) continue
    const source = read(name).replace(/^--@include (.+)$/gm, (_, part: string) => read(`_${part}`))
    loaded.set(name, { name, source, sha: createHash('sha1').update(source).digest('hex') })
  }
}

/** Returns the script of that name. */
export function script(name: string): Script {
  loadScripts()
  const found = loaded.get(name)
  if (!found) throw new Error(`There is no script "${name}".`)
  return found
}

/** Runs a script in Redis. Its text is sent only when Redis hasn't loaded it yet. */
export async function evaluate(
  client: Client,
  { sha, source }: Script,
  keys: readonly string[],
  args: readonly Argument[],
  binary: boolean,
): Promise<unknown> {
  const all = [keys.length, ...keys, ...args] as [number, ...string[]]
  try {
    return await (binary ? client.callBuffer('EVALSHA', [sha, ...all]) : client.evalsha(sha, ...all))
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
    return binary ? client.callBuffer('EVAL', [source, ...all]) : client.eval(source, ...all)
  }
}

function read(name: string): string {
  const text = texts[`${name}.lua`]
  if (text === undefined) throw new Error(`There is no script "${name}" to include.`)
  return text
}
