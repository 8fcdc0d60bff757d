/** Schemas written by hand, for what those of a library can't be made to do on demand. */
import type { StandardSchemaV1 } from '../../lib/index.js'

/** A text with an `@`, of which it makes the part before that. */
export const address: StandardSchemaV1<string, string> = schemaOf((value) => {
  if (typeof value !== 'string') return 'expected a string'
  return value.includes('@') ? { value: value.split('@')[0] as string } : 'expected an e-mail address'
})

/** A schema with a check that returns a problem or the output, or throws. */
export function schemaOf<Input, Output = Input>(
  validate: (value: unknown) => string | { value: Output } | Promise<string | { value: Output }>,
): StandardSchemaV1<Input, Output> {
  type Answer = string | { value: Output }
  const result = (answer: Answer) => (typeof answer === 'string' ? { issues: [{ message: answer }] } : answer)
  return {
    '~standard': {
      version: 1,
      vendor: 'by hand',
      validate(value) {
        const answer = validate(value)
        return answer instanceof Promise ? answer.then(result) : result(answer)
      },
    },
  }
}
