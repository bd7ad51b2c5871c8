// What frameworks throw to leave a handler with an answer: redirects, "not found" and the like. They are answers, not
// failures. Recognized by their documented form, so that no framework is imported.

/** The part of what is thrown that is looked at. */
interface Thrown {
  readonly digest?: unknown
  readonly status?: unknown
  readonly location?: unknown
  readonly body?: unknown
}

/**
 * The answer that `thrown` stands for; undefined for a failure, or for what only the framework can answer.
 * - A `Response`: React Router, Remix and others.
 * - Next's `redirect`, `permanentRedirect`, `notFound`, `forbidden` and `unauthorized`, as its route handlers answer them.
 * - SvelteKit's `redirect` and `error`.
 */
export function responseOf(thrown: unknown): Response | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  if (isResponse(thrown)) return thrown
  const { digest, status, location, body }: Thrown = thrown
  if (typeof digest === 'string') return ofNext(digest)
  // SvelteKit's are no errors; those of other libraries that have a status are failures.
  if (thrown instanceof Error || !isStatus(status)) return undefined
  if (status < 400) return typeof location === 'string' ? redirectTo(location, status) : undefined
  return typeof body === 'object' && body !== null ? Response.json(body, { status }) : undefined
}

/** By its class's name: it may come from another realm, or from a package that makes its own. */
function isResponse(thrown: object): thrown is Response {
  return Object.prototype.toString.call(thrown) === '[object Response]'
}

function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && Number(status) >= 300 && Number(status) < 600
}

/** `NEXT_REDIRECT;<type>;<url>;<status>;`, where the URL may hold semicolons, and `NEXT_HTTP_ERROR_FALLBACK;<status>`. */
function ofNext(digest: string): Response | undefined {
  const parts = digest.split(';')
  if (parts[0] === 'NEXT_REDIRECT') {
    const status = Number(parts.at(-2))
    const location = parts.slice(2, -2).join(';')
    return isStatus(status) && status < 400 && location !== '' ? redirectTo(location, status) : undefined
  }
  // Next's own form before 15.1.
  if (digest === 'NEXT_NOT_FOUND') return new Response(null, { status: 404 })
  const status = Number(parts[1])
  return parts[0] === 'NEXT_HTTP_ERROR_FALLBACK' && isStatus(status)
    ? new Response(null, { status })
    : undefined
}

function redirectTo(location: string, status: number): Response {
  return new Response(null, { status, headers: { location } })
}
