/**
 * The texts of `scripts/`, by file name. The build writes them into this module, so that bundlers include them; when
 * run from source, they are read from the files.
 */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('./scripts/', import.meta.url)

export const texts: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
)
