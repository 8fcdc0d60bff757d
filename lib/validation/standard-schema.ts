/**
 * The interface of Standard Schema 1 (https://standardschema.dev), which zod, valibot, arktype and others implement. Its
 * specification asks to copy the interface, so that no dependency is needed.
 */

/**
 * A schema of any library that implements Standard Schema.
 *
 * @typeParam Input What it takes.
 * @typeParam Output What it makes of it.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    /** The name of the library. */
    readonly vendor: string
    readonly validate: (value: unknown) => ValidationResult<Output> | Promise<ValidationResult<Output>>
    /** Only there for the compiler. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says about a value: what it made of it or, with `issues`, why it refuses it. */
export type ValidationResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One reason why a schema refuses a value. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

type TypesOf<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>
export type InputOf<S> = S extends StandardSchemaV1 ? TypesOf<S>['input'] : never
export type OutputOf<S> = S extends StandardSchemaV1 ? TypesOf<S>['output'] : never
