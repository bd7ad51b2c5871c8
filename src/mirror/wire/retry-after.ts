// What a server says about when to come back (RFC 9110, section 10.2.3).

/** A server may ask for an hour at most: a timer of more than 24.8 days would fire at once. */
const longestSeconds = 3600

/**
 * Seconds until the server wants to be asked again; 0 when it does not say, and never more than an hour. A date is meant by the server's own clock, which the
 * answer shows.
 * @example retryAfterSeconds(new Headers({ 'retry-after': '120' })) // 120
 */
export function retryAfterSeconds(headers: Headers): number {
  const said = headers.get('retry-after')?.trim() ?? ''
  if (/^\d+$/.test(said)) return Math.min(Number(said), longestSeconds)
  const date = headers.get('date')
  const seconds = (Date.parse(said) - (date === null ? Date.now() : Date.parse(date))) / 1000
  return seconds > 0 ? Math.min(Math.ceil(seconds), longestSeconds) : 0
}
