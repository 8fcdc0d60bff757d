/** The options of an actor about its arguments (`schema`, `version`, `migrate`), and what they do to a message. */
import { expected, show } from '../checks.js'
import { framesOf } from '../error-data.js'
import { InvalidOption, MigrationFailed, UnknownVersion } from '../errors.js'
import { isIntent } from '../hook-failures.js'
import type { Message } from '../message.js'
import { callback, countOf, declareOptions } from '../options.js'
import { isError } from '../thrown.js'
import type { StandardSchemaV1 } from './standard-schema.js'
import { isThenable, validateArguments } from './validate.js'

type ArgumentList = readonly unknown[]
type Migrate = (args: unknown[], version: number) => unknown

/** The name on the wire of the version of a message. */
const versionOption = 'version'

export class ArgumentRules {
  readonly #actorName: string
  readonly #schemas: readonly StandardSchemaV1[] | undefined
  readonly #version: number | undefined
  readonly #migrate: Migrate | undefined

  /** The rules of an actor, if it has any. */
  static of(actorName: string, options: Readonly<Record<string, unknown>>): ArgumentRules | undefined {
    const { schema, version, migrate } = options
    if (migrate !== undefined && version === undefined) {
      throw new InvalidOption(
        `Expected "version" beside "migrate" (on actor "${actorName}"): it is the version that migrate leads to, as in { version: 1, migrate }.`,
        'version',
      )
    }
    return schema === undefined && version === undefined ? undefined : new ArgumentRules(actorName, options)
  }

  private constructor(actorName: string, { schema, version, migrate }: Readonly<Record<string, unknown>>) {
    this.#actorName = actorName
    this.#schemas = schema === undefined ? undefined : Array.isArray(schema) ? schema : [schema]
    this.#version = version as number | undefined
    this.#migrate = migrate as Migrate | undefined
  }

  /** Adds the version of the actor to the options of a new message. */
  stamp(options: Record<string, unknown>): void {
    if (this.#version !== undefined) options[versionOption] ??= this.#version
  }

  /**
   * Checks the arguments of a message before it is sent. It is stored with them as they are: what the schemas make of
   * them need not be JSON.
   * @throws {InvalidArguments}
   */
  check(message: Message): Promise<unknown> | undefined {
    if (!this.#schemas) return undefined
    const outputs = this.#validate(argumentsOf(message))
    return outputs instanceof Promise ? outputs : undefined
  }

  /**
   * The arguments for the function, where it runs.
   * @throws {InvalidArguments} {MigrationFailed} {UnknownVersion}
   */
  read(message: Message): ArgumentList | Promise<ArgumentList> {
    const args = argumentsOf(message)
    const version = countOf(message, versionOption)
    if (this.#version === undefined || version === this.#version) return this.#validate(args)
    if (version > this.#version) throw new UnknownVersion(this.#actorName, version, this.#version)
    if (!this.#migrate) return this.#validate(args)
    const migrated = this.#lift(this.#migrate, args, version)
    return migrated instanceof Promise ? migrated.then((list) => this.#validate(list)) : this.#validate(migrated)
  }

  #validate(args: ArgumentList): ArgumentList | Promise<ArgumentList> {
    return this.#schemas ? validateArguments(this.#actorName, this.#schemas, args) : args
  }

  #lift(migrate: Migrate, args: ArgumentList, version: number): ArgumentList | Promise<ArgumentList> {
    const failed = (error: unknown): never => {
      if (isIntent(error)) throw error
      const failure = new MigrationFailed(this.#actorName, version, { cause: error })
      // The frames that are kept are those of the user's code.
      if (isError(error)) failure.stack = [`${failure}`, ...framesOf(`${error.stack}`)].join('\n')
      throw failure
    }
    try {
      const migrated = migrate([...args], version)
      return isThenable(migrated)
        ? Promise.resolve(migrated).then(checkMigrated).catch(failed)
        : checkMigrated(migrated)
    } catch (error) {
      return failed(error)
    }
  }
}

/** The arguments of a message as its function receives them: Python's keyword arguments are the last. */
function argumentsOf({ args, kwargs }: Message): ArgumentList {
  for (const _ in kwargs) return [...args, kwargs]
  return args
}

function checkMigrated(value: unknown): ArgumentList {
  if (Array.isArray(value)) return value
  throw new InvalidOption(
    `Expected migrate to return an array of arguments, as in [{ id: 1 }]; got ${show(value)}.`,
    'migrate',
  )
}

declareOptions({
  schema: { read: readSchema },
  version: { read: readVersion },
  migrate: { read: callback },
})

function readSchema(value: unknown, name: string): unknown {
  const schemas = Array.isArray(value) ? value : [value]
  if (schemas.every(isSchema)) return value
  throw expected('a Standard Schema (of zod, valibot, arktype, …), or an array with one for each argument', value, name)
}

/** Schemas of arktype are functions. */
function isSchema(value: unknown): boolean {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  return typeof (value as Partial<StandardSchemaV1>)['~standard']?.validate === 'function'
}

function readVersion(value: unknown, name: string): unknown {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value
  throw expected('a whole number from 1 up', value, name)
}
