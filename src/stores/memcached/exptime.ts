// Lifetimes as memcached takes them.
import { SessionError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/clock.ts'
import { isWholeNumber } from '../../protocol/whole-number.ts'
import { checkTtl } from '../argument-checks.ts'

/** 30 days. Memcached takes more seconds than this for a time since 1970, long gone: the item would be dead at once. */
const maxRelativeSeconds = 2_592_000
/** What fits a signed 32-bit number: the year 2038, until which memcached counts. */
const maxExptime = 2_147_483_647

/**
 * A lifetime as memcached takes it: seconds up to 30 days, and the time since 1970 above that.
 * @throws SessionError `invalid-option` for a lifetime that no store takes, or a clock that gives no number
 */
export function toExptime(ttlSeconds: number, clock: Clock): number {
  checkTtl(ttlSeconds)
  if (ttlSeconds <= maxRelativeSeconds) return ttlSeconds
  const exptime = Math.min(maxExptime, Math.floor(clock() / 1000) + ttlSeconds)
  if (isWholeNumber(exptime, { from: 1 })) return exptime
  throw new SessionError(
    'invalid-option',
    `clock must give milliseconds since 1970: with what it gave, the lifetime ends at ${exptime}.`,
  )
}
