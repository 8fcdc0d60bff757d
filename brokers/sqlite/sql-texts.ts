/**
 * The texts of the `.sql` files of this folder, by path. The build writes them into this module, so that a bundler finds
 * them; from source they are read.
 */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('./', import.meta.url)

export const texts: Readonly<Record<string, string>> = Object.fromEntries(
  ['schema.sql', ...readdirSync(new URL('migrations/', folder)).map((name) => `migrations/${name}`)].map((path) => [
    path,
    readFileSync(new URL(path, folder), 'utf8'),
  ]),
)
