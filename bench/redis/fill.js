/** Fills a queue fast: many messages a call, a few calls on their way at a time. */
const size = 1000
const atOnce = 8

/**
 * @param broker Where to.
 * @param count How many.
 * @param make Makes one.
 * @param delay How long until they may run; absent: at once.
 */
export async function fill(broker, count, make, delay) {
  const underWay = new Set()
  for (let sent = 0; sent < count; sent += size) {
    const messages = Array.from({ length: Math.min(size, count - sent) }, make)
    const sending = broker.enqueueMany(messages, { delay }).finally(() => underWay.delete(sending))
    underWay.add(sending)
    if (underWay.size === atOnce) await Promise.race(underWay)
  }
  await Promise.all(underWay)
}
