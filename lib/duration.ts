/** Durations as people write them; time.ts reads them. */

type Unit =
  | `${'ms' | 'msec' | 'millisecond'}${'' | 's'}`
  | 's'
  | `${'sec' | 'second'}${'' | 's'}`
  | 'm'
  | `${'min' | 'minute'}${'' | 's'}`
  | 'h'
  | `${'hr' | 'hour'}${'' | 's'}`
  | 'd'
  | `day${'' | 's'}`
  | 'w'
  | `week${'' | 's'}`
  | 'y'
  | `${'yr' | 'year'}${'' | 's'}`

/**
 * A duration: milliseconds, or a string that `ms` reads, such as `'15s'`, `'5m'` or `'7d'`. Pass a string of unknown
 * content (an environment variable) `as Duration`: it is checked when it is used.
 */
export type Duration = number | `${number}` | `${number}${Unit}` | `${number} ${Unit}`
