// The session cookie: `v1.<key id>.<sid>.<floor>.<issued>.<expires>.<mac>`, always the same size. Owns how it
// is made, found among other cookies and believed. Never repairs, decodes or trims what came.
import * as limits from '../../protocol/limits.ts'
import type { ServerCrypto } from './crypto.ts'
import type { KeyRing } from './key-ring.ts'

declare const brand: unique symbol
/** Names a session to the server: the id of the secret its place derives from, then 32 random characters. */
export type SessionId = string & { readonly [brand]: 'sid' }

/** A session cookie that this server signed. */
export interface Cookie {
  /** The short name of the secret that signed it. */
  readonly keyId: string
  /** The session that it names. */
  readonly sid: SessionId
  /** The lowest revision it accepts: a record below is a stale copy, so the session counts as lost. */
  readonly floor: number
  /** When it was set, in seconds since 1970. */
  readonly issued: number
  /** When it has to be refreshed, in seconds since 1970. */
  readonly expires: number
}

/** Six of the key's id, and 32 of 192 random bits. */
const pattern = /^v1\.([\w-]{6})\.([\w-]{38})\.([0-9a-z]{11})\.([0-9a-z]{7})\.([0-9a-z]{7})\.[\w-]{43}$/
/** Characters of every cookie value there is. */
export const cookieLength: number = 3 + 7 + 39 + 12 + 8 + 8 + 43

/** The value of a cookie, signed with the newest secret. */
export function encodeCookie({ sid, floor, issued, expires }: Omit<Cookie, 'keyId'>, ring: KeyRing): string {
  const { id, mac } = ring.newest
  const text = `v1.${id}.${sid}.${digits(floor, 11)}.${digits(issued, 7)}.${digits(expires, 7)}`
  return `${text}.${mac.cookie(text)}`
}

/** The cookie whose value is `text`; undefined for anything that this ring did not sign, to the character. */
export function verifyCookie(text: string, ring: KeyRing, crypto: ServerCrypto): Cookie | undefined {
  if (text.length !== cookieLength) return undefined
  const [, keyId = '', sid = '', floor = '', issued = '', expires = ''] = pattern.exec(text) ?? []
  const keys = ring.find(keyId)
  if (keys === undefined) return undefined
  const dot = text.length - 44
  if (!crypto.equal(text.slice(dot + 1), keys.mac.cookie(text.slice(0, dot)))) return undefined
  const times = { floor: parseInt(floor, 36), issued: parseInt(issued, 36), expires: parseInt(expires, 36) }
  return { keyId, sid: sid as SessionId, ...times } // The MAC says that it is one.
}

/**
 * The valid cookies called `name` in a Cookie header, the youngest for each id. The order says nothing (RFC 6265bis,
 * 4.2.2), so every one of that name is tried.
 */
export function findCookies(
  header: string | undefined,
  name: string,
  verify: (text: string) => Cookie | undefined,
): readonly Cookie[] {
  if (header === undefined || !header.includes(name)) return noCookies
  const found: Cookie[] = []
  for (const text of new Set(cookieValues(header, name))) {
    const cookie = verify(text)
    if (cookie === undefined) continue
    // One id twice, as after a change of the cookie's attributes.
    const index = found.findIndex(({ sid }) => sid === cookie.sid)
    const same = found[index]
    if (same === undefined) found.push(cookie)
    else if (cookie.issued > same.issued) found[index] = cookie
  }
  return found
}

const noCookies: readonly Cookie[] = []

/** Whether `text` has the form of a session cookie. Only its signature tells whose it is. */
export function looksLikeCookie(text: string): boolean {
  return pattern.test(text)
}

/** Values of the cookies that are called `name` to the byte. Only space and tab are trimmed, nothing decoded. */
export function cookieValues(header: string, name: string): string[] {
  const values: string[] = []
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals === -1 || trim(pair.slice(0, equals)) !== name) continue
    values.push(trim(pair.slice(equals + 1)))
    if (values.length === limits.candidateCookies) break
  }
  return values
}

// String.prototype.trim also takes U+00A0, U+2000 and more, and would let `\u2000name` pass for `name`.
function trim(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Base 36 of a fixed width: 11 digits hold every safe integer, 7 hold seconds until the year 4453. */
function digits(value: number, width: number): string {
  return value.toString(36).padStart(width, '0')
}
