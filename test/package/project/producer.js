import { getBroker } from 'dramatis'
import { add, greet } from './actors.js'

const sum = await add.send(1, 2)
const greeting = await greet.send('world')
console.log(JSON.stringify([await sum.result({ timeout: '30s' }), await greeting.result({ timeout: '30s' })]))
await getBroker().close()
