// The mistakes that the doctor knows, how bad each is, and what to do about it.

/** How bad a mistake is. `error`: something does not work. `warning`: it works less well than it could. */
export type Severity = 'error' | 'warning'

/** The mistakes that `diagnose` knows. */
export type FindingCode =
  | 'insecure-context'
  | 'cookies-off'
  | 'storage-memory'
  | 'worker-unsupported'
  | 'worker-unreachable'
  | 'worker-missing'
  | 'worker-redirected'
  | 'worker-type'
  | 'worker-scope'
  | 'worker-cached'
  | 'worker-failed'
  | 'worker-not-controlling'
  | 'worker-other'
  | 'worker-silent'
  | 'worker-version'
  | 'worker-session'
  | 'worker-api'
  | 'worker-retired'
  | 'server-unreachable'
  | 'cors-refused'
  | 'routes-missing'
  | 'server-other'
  | 'headers-hidden'
  | 'api-silent'
  | 'cookie-not-stored'
  | 'cookie-gone'
  | 'cookie-other'
  | 'proxy-untrusted'
  | 'clock-skew'

const known: Readonly<Record<FindingCode, readonly [Severity, string]>> = {
  'insecure-context': [
    'error',
    'Serve the page over https, or open it as http://localhost: browsers give service workers, WebCrypto and Web Locks to nobody else.',
  ],
  'cookies-off': ['error', 'Cookies are switched off for this site: allow them in the browser’s settings.'],
  'storage-memory': [
    'warning',
    'Reads and writes live as long as this tab. Usual causes: a private window, a full disk, storage blocked for an embedded page, or another tab with a newer version of session-mirror.',
  ],
  'worker-unsupported': [
    'warning',
    'This browser has no service workers (or not in this mode). The page does the work itself for `session.fetch`; plain `fetch` gets no refresh.',
  ],
  'worker-unreachable': ['error', 'Check the url in `worker`, and that the server serves it.'],
  'worker-missing': [
    'error',
    'Serve session-worker.js at that url: copy it, or use the Vite plugin session-mirror/vite.',
  ],
  'worker-redirected': ['error', 'A worker’s script must not be redirected: name the final url in `worker`.'],
  'worker-type': [
    'error',
    'Serve the script as text/javascript. An answer of text/html is usually the single-page fallback: the file is not where the url says.',
  ],
  'worker-scope': [
    'error',
    'Serve the script from a folder above the page, or send `Service-Worker-Allowed` with the wider scope and name it in `worker.scope`.',
  ],
  'worker-cached': [
    'warning',
    'Send `Cache-Control: no-cache` with the script, so that no cache on the way keeps an old worker alive.',
  ],
  'worker-failed': [
    'error',
    'Look for the worker’s own error in the developer tools (Application, Service workers).',
  ],
  'worker-not-controlling': [
    'warning',
    'The worker is there and does not control this page: after a forced reload it takes the page over when asked; a worker of your own must answer `claim`, which installSessionWorker does.',
  ],
  'worker-other': [
    'error',
    'Two workers fight for one scope, and the last one registered wins. Put both into one script (installSessionWorker in yours), or give them different scopes. With msw: see Testing in the README.',
  ],
  'worker-silent': [
    'error',
    'The worker that controls this page has no session in it: call installSessionWorker() at the top level of your worker.',
  ],
  'worker-version': [
    'warning',
    'Page and worker are of two versions of session-mirror. Deploy them together; an old worker is replaced at a next load.',
  ],
  'worker-session': [
    'error',
    'Give `createSession({ url })` and the worker the same base of the session routes.',
  ],
  'worker-api': [
    'warning',
    'Page and worker list different paths: what only one of them knows is attached by it alone. Give both the same `api`.',
  ],
  'worker-retired': [
    'warning',
    'Its kill switch was used: it passes everything by until a page registers it again.',
  ],
  'server-unreachable': ['error', 'Nothing answers there: is the server running, and is this device online?'],
  'cors-refused': [
    'error',
    'The server does not let this page’s origin read its answers: name it in `allowedOrigins` of createSessions.',
  ],
  'routes-missing': [
    'error',
    'The session’s routes are not there. Put sessionMiddleware before your routes and before a single-page fallback; in development, proxy them to the server.',
  ],
  'server-other': [
    'warning',
    'The server has another version of session-mirror than the page: deploy both together.',
  ],
  'headers-hidden': [
    'error',
    'Something on the way takes `Access-Control-Expose-Headers` away (a proxy, a second CORS middleware): Session-Revision and Session-Fresh-In must be in it.',
  ],
  'api-silent': [
    'warning',
    'Either the session middleware does not stand before that route, or it is of another origin and does not expose Session-Revision: use `sessions.cors`, or add it to Access-Control-Expose-Headers.',
  ],
  'cookie-not-stored': [
    'error',
    'The browser drops the session’s cookie, so that nobody can stay signed in.',
  ],
  'cookie-other': [
    'error',
    'Cookies do not know ports: another app on this host has the same cookie name, and the two sign each other out. Give each a `cookie.name` of its own. Without another app the `secrets` were replaced: then the next sign-in puts it right.',
  ],
  'cookie-gone': [
    'warning',
    'This browser shows a session, and sends no cookie for it: it was deleted, or belongs to another host or scheme. The next answer of the server will end it here.',
  ],
  'proxy-untrusted': [
    'warning',
    'Set `trustProxy` of createSessions to the number of proxies of yours, and have the outermost send X-Forwarded-Proto.',
  ],
  'clock-skew': [
    'warning',
    'Sessions go on: session-mirror counts in what the server says. What your app computes from this device’s clock will be wrong by as much.',
  ],
}

/** One mistake that was found. */
export interface Finding {
  /** Names the mistake. Its meaning never changes. */
  readonly code: FindingCode
  /** `error`: it does not work as it was meant to; `warning`: it works, and less well than it could. */
  readonly severity: Severity
  /** What was found, with the values that matter. */
  readonly message: string
  /** What to do about it. */
  readonly advice: string
}

/** @example found('worker-missing', '/session-worker.js answers 404.') */
export function found(code: FindingCode, message: string, hint = ''): Finding {
  const [severity, advice] = known[code]
  return { code, severity, message, advice: hint === '' ? advice : `${advice} ${hint}` }
}
