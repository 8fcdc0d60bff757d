/** Bare loops without a library: coalesced sends, then fetch, parse and acknowledge. */
import { bareDrain, bareEnqueue } from '../redis/bare.js'
// @ts-expect-error should be plain JavaScript, as the peers are
import { messages, meter, report } from './report.js'

const options = { url: process.argv[2] as string, namespace: 'bare', count: messages as number }
let stop = meter()
await bareEnqueue(options)
const enqueued = stop()
stop = meter()
await bareDrain(options)
await report({ enqueued, processed: stop() })
