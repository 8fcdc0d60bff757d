/** Registers the contract tests of `testing/contract` with tap. */
import { t } from 'tap'
import type { TestFunction } from '../../testing/contract/index.js'

export const test: TestFunction = (title, options, run) => t.test(title, options, run)
