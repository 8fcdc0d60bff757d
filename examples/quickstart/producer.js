/** The producer: sends messages to the actors, and waits for what they return. It runs none of them itself. */
import { getBroker, ResultFailure } from 'dramatis'
import { failTwice, neverReturn, readText } from './actors.js'
import { Progress, report } from './report.js'
import { findTexts } from './texts.js'

const texts = findTexts()
const started = performance.now()

// One message for each of the two special actors, and one for each text, all in one call.
const endless = await neverReturn.send()
const flaky = await failTwice.send()
const messages = await readText.sendMany(texts.map(({ path }) => [path]))

const progress = new Progress(messages.length + 2)
try {
  const [outcome, { attempts }, ...results] = await Promise.all(
    [endless, flaky, ...messages].map(async (message) => {
      const result = await resultOf(message)
      progress.advance()
      return result
    }),
  )
  progress.stop()
  report({ texts, results, attempts, outcome, seconds: (performance.now() - started) / 1000 })
} catch (error) {
  progress.stop()
  console.error(`${error.message}\nIs a worker running? Start one in another terminal: node worker.js`)
  process.exitCode = 1
}
await getBroker().close()

/** The result of the actor or, if it failed permanently, its error. */
async function resultOf(message) {
  try {
    return await message.result({ timeout: '30s' })
  } catch (error) {
    if (error instanceof ResultFailure && message.actorName === 'neverReturn') return error
    throw error
  }
}
