/** The bare loop without a library: messages are sent, fetched, parsed and acknowledged; until the last one. */
import { bareDrain, bareEnqueue } from '../redis/bare.js'
// @ts-expect-error should be plain JavaScript, as the peers are
import { messages, report, timeRuns } from './report.js'

const options = { url: process.argv[2] as string, namespace: 'bare', count: messages as number }
const times = await timeRuns(() => async () => {
  await bareEnqueue(options)
  await bareDrain(options)
})
await report({ times })
