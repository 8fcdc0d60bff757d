/** The producer: sends messages to the actors, and waits for what they return. It runs none of them itself. */
import { getBroker, ResultFailure } from 'dramatis'
import { failTwice, neverReturn, readText } from './actors.js'
import { Progress, report } from './report.js'
import { findTexts } from './texts.js'

const texts = findTexts()
const started = performance.now()

// One message for each text in a single go, and one for each of the two with a mind of their own.
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

/** What the actor returned or, when it failed for good, the error it failed with. */
async function resultOf(message) {
  try {
    return await message.result({ timeout: '30s' })
  } catch (error) {
    if (error instanceof ResultFailure && message.actorName === 'neverReturn') return error
    throw error
  }
}
