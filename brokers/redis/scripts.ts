/**
 * The Lua scripts, one verb a file in `scripts/`. A line `--@include name` stands for the file `_name.lua`.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A script as Redis knows it: by the digest of its text, and by the text when it doesn't know it yet. */
export interface Script {
  readonly name: string
  readonly source: string
  readonly sha: string
}

const loaded = new Map<string, Script>()

/** A script by its name. It is read when it is first needed. */
export function script(name: string): Script {
  let found = loaded.get(name)
  if (!found) {
    const source = read(name).replace(/^--@include (.+)$/gm, (_, part: string) => read(`_${part}`))
    found = { name, source, sha: createHash('sha1').update(source).digest('hex') }
    loaded.set(name, found)
  }
  return found
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}
