/** The module that BullMQ's sandboxed processors run. */
import { burn } from './burn.js'

export default async () => void burn()
