/** What a send stands for that stored no new message. */

/** What became of a message that wasn't stored as a new one: see `Message.deduplicated`. */
export type Deduplicated = 'skipped' | 'replaced' | 'rerun'

/** The message that a send stands for, if it stored none. */
export interface Survivor {
  readonly messageId: string
  readonly deduplicated: Deduplicated
  /** Whether that message has taken over the place of this one in pipelines and groups. @default false */
  readonly hasPlace?: boolean | undefined
}
