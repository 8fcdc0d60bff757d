import { getBroker } from 'dramatis'
import { add } from '../actors.js'

async function main() {
  const messages = await add.sendMany(Array.from({ length: 20 }, (_, index) => [index, 1]))
  const results = await Promise.all(messages.map((message) => message.result({ timeout: '30s' })))
  console.log(JSON.stringify([results.every(({ sum }, index) => sum === index + 1), results[0].onThread]))
  await getBroker().close()
}

main()
