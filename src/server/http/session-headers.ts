// The headers that an answer of the app gets from its session, merged with what the app has set: for Node's answers,
// Fastify's and fetch's alike. No shared cache may keep an answer that depends on a session.
import { hasDirective } from './cache-control.ts'
import type { Header } from './core-answer.ts'
import type { SessionProgress } from './progress.ts'

/** How the headers of one kind of answer are read and set. Names are lower-case. */
export interface HeaderAccess<T> {
  /** The value of a header as one text, or undefined where it is not set. */
  get(target: T, name: string): string | undefined
  /** The names of all that are set. */
  names(target: T): Iterable<string>
  set(target: T, name: string, value: string): void
  /** Adds one more Set-Cookie line. */
  appendCookie(target: T, line: string): void
}

/** Sets one header: cookies stand beside those of the app, `Vary` names what it named before, too. */
export function mergeHeader<T>(access: HeaderAccess<T>, target: T, [name, value]: Header): void {
  if (name === 'set-cookie') access.appendCookie(target, value)
  else access.set(target, name, name === 'vary' ? mergeVary(access.get(target, name), value) : value)
}

/** Fields that one cache or CDN obeys before Cache-Control, and whose names do not say so by their end. */
const targetedFields: ReadonlySet<string> = new Set(['surrogate-control', 'edge-control', 'x-accel-expires'])

/**
 * Whether a cache may obey the field `name` (lower-case) instead of Cache-Control. Every name that ends like
 * `cdn-cache-control` may be one (RFC 9213): there are more CDNs than a list would know.
 */
export function isTargeted(name: string): boolean {
  return name.endsWith('-cache-control') || targetedFields.has(name)
}

/** What a targeted field says to keep the answer out of its cache. nginx takes seconds, of which 0 are none. */
export function closedValue(name: string): string {
  return name === 'x-accel-expires' ? '0' : 'no-store'
}

/**
 * Adds the session's headers to an answer of the app, and keeps shared caches out where it depends on the session.
 * @returns the Set-Cookie lines of the session
 */
export function addSessionHeaders<T>(
  access: HeaderAccess<T>,
  target: T,
  progress: Pick<SessionProgress, 'isRead' | 'vary' | 'headers'>,
): readonly string[] {
  const fields = progress.headers()
  const cookies = fields.flatMap(([name, value]) => (name === 'set-cookie' ? [value] : []))
  for (const field of fields) mergeHeader(access, target, field)
  if (!progress.isRead) return cookies
  for (const name of access.names(target)) if (isTargeted(name)) access.set(target, name, closedValue(name))
  access.set(
    target,
    'cache-control',
    mergeCacheControl(access.get(target, 'cache-control'), cookies.length > 0),
  )
  mergeHeader(access, target, ['vary', progress.vary])
  access.set(target, 'x-content-type-options', 'nosniff')
  return cookies
}

/** `Vary` with `names` added, whatever it held. */
export function mergeVary(current: string | undefined, names: string): string {
  if (current === undefined || current.trim() === '') return names
  if (current.trim() === '*') return '*'
  const present = current
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  const missing = names.split(', ').filter((name) => !present.includes(name.toLowerCase()))
  return [current, ...missing].join(', ')
}

/** What the app said stays where it keeps shared caches out; with a cookie in the answer only `no-store` does. */
export function mergeCacheControl(current: string | undefined, setsCookie: boolean): string {
  const isPrivate = hasDirective(current, 'no-store') || (!setsCookie && hasDirective(current, 'private'))
  return isPrivate && current !== undefined ? current : 'no-store'
}

/** Whether the app gives an answer with this Cache-Control to shared caches. */
export function isPublic(cacheControl: string | undefined): boolean {
  return hasDirective(cacheControl, 'public')
}
