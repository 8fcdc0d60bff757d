/** The broker's statements in bare loops without a library, in batches like the broker's. */
import { bareLoop } from '../sqlite/bare-loop.js'
// @ts-expect-error should be plain JavaScript, as the peers are
import { messages, report } from './report.js'

const { enqueued, processed } = bareLoop({ messages })
const figures = ({ perSecond, cpu }: { perSecond: number; cpu: number }) => ({ rate: perSecond, cpu })
await report({ enqueued: figures(enqueued), processed: figures(processed) })
