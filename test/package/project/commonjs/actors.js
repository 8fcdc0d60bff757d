const { isMainThread } = require('node:worker_threads')
const { actor } = require('dramatis')

exports.add = actor(
  function add(a, b) {
    return { sum: a + b, onThread: !isMainThread }
  },
  { storeResults: true },
)
