const { runWorker } = require('dramatis')
require('./actors.js')

runWorker({ threads: 1 })
