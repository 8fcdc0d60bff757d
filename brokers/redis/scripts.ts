/**
 * The Lua scripts, one verb a file in `scripts/`. A line `--@include name` stands for the file `_name.lua`.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** A script as Redis knows it: by the digest of its text, and by the text when it doesn't know it yet. */
export interface Script {
  readonly name: string
  readonly source: string
  readonly sha: string
}

const folder = new URL('./scripts/', import.meta.url)
const loaded = new Map<string, Script>()

/**
 * Reads all scripts, once: a deployment may put others in their place while the process runs, and those of two versions
 * don't go together.
 */
export function loadScripts(): void {
  if (loaded.size > 0) return
  for (const file of readdirSync(folder)) {
    const [, name] = /^([^_].*)\.lua$/.exec(file) ?? []
    if (name === undefined) continue
    const source = read(name).replace(/^--@include (.+)$/gm, (_, part: string) => read(`_${part}`))
    loaded.set(name, { name, source, sha: createHash('sha1').update(source).digest('hex') })
  }
}

/** A script by its name. */
export function script(name: string): Script {
  loadScripts()
  const found = loaded.get(name)
  if (!found) throw new Error(`There is no script "${name}" in ${folder}.`)
  return found
}

function read(name: string): string {
  return readFileSync(new URL(`${name}.lua`, folder), 'utf8')
}
