/** Validates a list of arguments with one schema for each. */
import { type ArgumentIssue, InvalidArguments } from '../errors.js'
import type { SchemaIssue, StandardSchemaV1, ValidationResult } from './standard-schema.js'

type Result = ValidationResult<unknown>

/**
 * Returns what the schemas make of the arguments. A promise if one of them is async.
 * @throws {InvalidArguments}, or what a schema throws.
 */
export function validateArguments(
  actorName: string,
  schemas: readonly StandardSchemaV1[],
  args: readonly unknown[],
): readonly unknown[] | Promise<readonly unknown[]> {
  if (args.length > schemas.length) throw new InvalidArguments(actorName, [tooMany(args.length, schemas.length)])
  const results = schemas.map((schema, index) => resultOf(schema, args[index]))
  if (!results.some(isThenable)) return outputsOf(actorName, results as Result[])
  return Promise.all(results).then((all) => outputsOf(actorName, all))
}

/** What a schema throws becomes a rejection, so that the promises of the other schemas are awaited as well. */
function resultOf(schema: StandardSchemaV1, value: unknown): Result | Promise<Result> {
  try {
    return schema['~standard'].validate(value)
  } catch (error) {
    return Promise.reject(error)
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

function outputsOf(actorName: string, results: readonly Result[]): readonly unknown[] {
  const issues = results.flatMap(({ issues }, index) => issues?.map((issue) => argumentIssue(issue, index)) ?? [])
  if (issues.length > 0) throw new InvalidArguments(actorName, issues)
  return results.map((result) => (result as { readonly value: unknown }).value)
}

function argumentIssue({ message, path = [] }: SchemaIssue, index: number): ArgumentIssue {
  const keys = path.map((part) => {
    const key = typeof part === 'object' ? part.key : part
    return typeof key === 'symbol' ? String(key) : key
  })
  return { message, path: [index, ...keys] }
}

function tooMany(given: number, most: number): ArgumentIssue {
  const hint = most === 1 ? '; for more, give an array with one schema for each argument' : ''
  return { message: `expected ${most} at most, got ${given}${hint}`, path: [] }
}
