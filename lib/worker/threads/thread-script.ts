/** What a thread of a worker's pool is started with. */
import { serveThread } from './thread.js'

serveThread()
