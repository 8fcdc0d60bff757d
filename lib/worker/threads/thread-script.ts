/** The script that the threads of a worker's pool run. */
import { serveThread } from './thread.js'

serveThread()
