// What a caller may give to a store: keys, lifetimes and values. A mistake in them is the caller's, and must never
// look like a store that is away.
import { SessionError } from '../protocol/errors.ts'
import { isWholeNumber } from '../protocol/whole-number.ts'

/** Below the 1,048,500 bytes that a memcached stores by default; a record has a quarter of it at most. */
export const maxValueBytes = 1_000_000
const keyPattern = /^[A-Za-z0-9_:.-]{1,200}$/
/** 68 years: what fits a signed 32-bit number, as memcached takes it. */
const maxTtlSeconds = 2_147_483_647

/** @throws SessionError `invalid-option`. The message leaves the key out: it may say whose session it is. */
export function checkKey(key: string): void {
  if (keyPattern.test(key)) return
  throw new SessionError(
    'invalid-option',
    `A store key must have 1 to 200 characters of A-Z a-z 0-9 _ : . -, and this one of ${key.length} has not.`,
  )
}

/** @throws SessionError `invalid-option` */
export function checkTtl(ttlSeconds: number): void {
  if (isWholeNumber(ttlSeconds, { from: 1, to: maxTtlSeconds })) return
  throw new SessionError(
    'invalid-option',
    `A lifetime must be a whole number of seconds from 1 to ${maxTtlSeconds}, not ${ttlSeconds}.`,
  )
}

/**
 * @param maxBytes what the store takes. @default 1,000,000
 * @throws SessionError `too-large`
 */
export function checkValueSize(value: Uint8Array, maxBytes: number = maxValueBytes): void {
  if (value.byteLength <= maxBytes) return
  throw new SessionError(
    'too-large',
    `The store takes values of ${maxBytes} bytes at most, and this one has ${value.byteLength}: store less in the session.`,
  )
}

/** What options of other stores for the life of a session mean here: a store is told of it by `createSessions`. */
export const lifeHints: Readonly<Record<string, string>> = Object.fromEntries(
  ['ttl', 'maxAge', 'expires', 'expiration', 'lifetime', 'disableTouch'].map((name) => [
    name,
    'how long a session lives is for createSessions to say, with idleTimeoutSeconds and absoluteTimeoutSeconds',
  ]),
)
