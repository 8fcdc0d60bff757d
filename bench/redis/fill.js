/** Fills a queue fast: many messages per call, a few concurrent calls. */
const size = 1000
const atOnce = 8

/**
 * @param broker The broker of the queue.
 * @param count The number of messages.
 * @param make Makes a message.
 * @param delay How long until they may run; absent: no delay.
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
