/** Actors with schemas of three libraries: imported by the test and, again, by each of its threads. */
import { isMainThread } from 'node:worker_threads'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { actor } from '../../../lib/index.js'

const options = { storeResults: true, minBackoff: 1 } as const

/** What an actor received, as far as its result can say. */
interface Seen {
  readonly to: string
  readonly at: string
  readonly isDate: boolean
  readonly inline: boolean
}

function report(to: string, at: Date): Seen {
  return { to, at: at.toISOString(), isDate: at instanceof Date, inline: isMainThread }
}

const zodOrder = z.object({ to: z.email(), at: z.iso.datetime().transform((text) => new Date(text)) })
const valibotOrder = v.object({
  to: v.pipe(v.string(), v.email()),
  at: v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.transform((text) => new Date(text)),
  ),
})
const arktypeOrder = type({ to: 'string.email', at: 'string.date.iso.parse' })

/** One for each library: takes an order, and reports what it received. */
export const orders = {
  zod: actor(({ to, at }) => report(to, at), { ...options, actorName: 'zod', schema: zodOrder }),
  valibot: actor(({ to, at }) => report(to, at), { ...options, actorName: 'valibot', schema: valibotOrder }),
  arktype: actor(({ to, at }) => report(to, at), { ...options, actorName: 'arktype', schema: arktypeOrder }),
}

/** One for each library: takes two arguments, of which the second may be omitted. */
export const pairs = {
  zod: actor((n, unit) => `${n} ${unit}`, {
    ...options,
    actorName: 'zodPair',
    schema: [z.number(), z.string().default('m')],
  }),
  valibot: actor((n, unit) => `${n} ${unit}`, {
    ...options,
    actorName: 'valibotPair',
    schema: [v.number(), v.optional(v.string(), 'm')],
  }),
  arktype: actor((n, unit = 'm') => `${n} ${unit}`, {
    ...options,
    actorName: 'arktypePair',
    schema: [type('number'), type('string | undefined')],
  }),
}

async function isFree(name: string): Promise<boolean> {
  await new Promise(setImmediate)
  return name !== 'ada'
}

/** One for each library that has async schemas: registers a name that is free. */
export const registrations = {
  zod: actor((name) => name, {
    ...options,
    actorName: 'zodRegister',
    schema: z.string().refine(isFree, 'This name is taken'),
  }),
  valibot: actor((name) => name, {
    ...options,
    actorName: 'valibotRegister',
    schema: v.pipeAsync(v.string(), v.checkAsync(isFree, 'This name is taken')),
  }),
}

/** Its first version took a name, its second an object. */
export const versioned = actor(({ to }) => to, {
  ...options,
  actorName: 'versioned',
  version: 2,
  schema: z.object({ to: z.string() }),
  migrate: async ([to], version) => {
    if (version === 0) throw new Error(`no idea what ${to} was`)
    return [{ to }]
  },
})
