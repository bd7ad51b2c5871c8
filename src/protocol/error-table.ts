// What each error code means: its HTTP status, whether trying again can help, and sentences for people. Kept apart from the
// error class, so that a browser does not download sentences that it never shows.
import type { SessionErrorCode } from './errors.ts'

/** What is known of one error code. */
export interface ErrorFacts {
  /** The HTTP status of the answer; 0 for an error that never crosses the wire. */
  readonly status: number
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean
  /** What happened, in one short sentence: the `detail` of a problem answer that has no sentence of its own. */
  readonly title: string
  /** What that means for the session and its data. */
  readonly meaning: string
  /** What the developer, or the app, should do. */
  readonly action: string
}

/**
 * Every code of `SessionError`, with what is known of it.
 * @example errorTable['store-unavailable'].status // 503
 */
export const errorTable: Readonly<Record<SessionErrorCode, ErrorFacts>> = {
  malformed: {
    ...answeredWith(400),
    title: 'The request is not what the protocol says.',
    meaning: 'Nothing was read or changed. A browser gives the batch up and tells its writers.',
    action: 'Compare the request with docs/protocol.md.',
  },
  'ambiguous-cookie': {
    ...answeredWith(400),
    title: 'Two session cookies came in one request, of two sessions that both live.',
    meaning: 'The server cannot know which session is meant, so it used neither.',
    action:
      'Sign out or sign in: both work, and take both cookies away. Look for a second app that uses the same cookie name.',
  },
  stale: {
    ...answeredWith(401, 'retryable'),
    title: 'The session cookie has to be refreshed first.',
    meaning: 'The session is alive. This cookie is older than the time for which it is fresh.',
    action: 'POST to the refresh route, then repeat the request. The browser SDK does both by itself.',
  },
  expired: {
    ...answeredWith(401),
    title: 'The session was idle for too long, or reached its absolute end.',
    meaning: 'Nobody is signed in any more. Unsent changes are kept, encrypted, for their owner.',
    action: 'Ask the user to sign in again.',
  },
  ended: {
    ...answeredWith(401),
    title: 'The session was signed out, or replaced by a new sign-in.',
    meaning: 'Nobody is signed in with this cookie any more.',
    action: 'Ask the user to sign in again.',
  },
  reuse: {
    ...answeredWith(401),
    title: 'A rotated session id was used again after its grace time.',
    meaning: 'Somebody may have copied the cookie, so the session was ended for everybody.',
    action: 'Ask the user to sign in again, and look for a way in which cookies leave this app.',
  },
  'cross-site': {
    ...answeredWith(403),
    title: 'The request comes from another site, or does not say where it comes from.',
    meaning: 'It was refused before the session was looked at.',
    action:
      'Name the page’s origin in `allowedOrigins`; for clients that are no browsers set `allowNonBrowser`.',
  },
  'not-found': {
    ...answeredWith(404),
    title: 'There is no such session route.',
    meaning: 'The path is below the base of the session routes, and none of them.',
    action: 'Compare the path with the routes in docs/protocol.md.',
  },
  'method-not-allowed': {
    ...answeredWith(405),
    title: 'The session route does not take this method.',
    meaning: 'Nothing was read or changed.',
    action: 'Use a method that the `Allow` header of the answer names.',
  },
  lost: {
    ...answeredWith(409),
    title: 'The store no longer has this session.',
    meaning: 'It was restarted, or evicted the session. The data that was only there is gone.',
    action: 'Start a new session, or ask the user to sign in again. Give the store more memory if it evicts.',
  },
  'epoch-mismatch': {
    ...answeredWith(409),
    title: 'The request speaks of another session than its cookie.',
    meaning: 'Somebody signed in or out in this browser meanwhile. Nothing was changed.',
    action: 'Pull the mirror, then decide again. The browser SDK does so by itself.',
  },
  'batch-fork': {
    ...answeredWith(409),
    title: 'Another batch with this number was already applied.',
    meaning: 'A browser profile was copied, or its storage was set back. Nothing was changed.',
    action: 'Seal the changes again under a new client id. The browser SDK does so by itself.',
  },
  'too-large': {
    ...answeredWith(413),
    title: 'The request, the value or the session is larger than its limit.',
    meaning: 'Nothing was changed.',
    action: 'Keep less in the session. docs/protocol.md has the limits.',
  },
  'unsupported-type': {
    ...answeredWith(415),
    title: 'The request has no Session-Mirror header, or its body is not JSON.',
    meaning: 'It was refused before the session was looked at: a form of another site could have sent it.',
    action: 'Send `Session-Mirror: 1`, and `Content-Type: application/json` with a POST.',
  },
  'store-unavailable': {
    ...answeredWith(503, 'retryable'),
    title: 'The session store does not answer.',
    meaning: 'Nothing was changed, and nobody is signed out.',
    action: 'Try again after `retryAfterSeconds`, and see to the store.',
  },
  contention: {
    ...answeredWith(503, 'retryable'),
    title: 'Too many writers changed this session at once.',
    meaning: 'Nothing was changed by this request.',
    action: 'Try again after `retryAfterSeconds`.',
  },
  speculative: {
    ...answeredWith(503, 'retryable'),
    title: 'A page that is only prefetched or prerendered must not change or renew the session.',
    meaning: 'Nothing was changed: nobody has opened the page yet.',
    action:
      'Try again when the page is shown (`prerenderingchange`); do not sign in or out by a link that is prefetched.',
  },
  'streams-full': {
    ...answeredWith(503, 'retryable'),
    title: 'Too many event streams of this session are open.',
    meaning: 'This page gets no live events; everything else works.',
    action: 'Close a stream. One browser needs one.',
  },
  'clients-full': {
    ...answeredWith(503, 'retryable'),
    title: 'Too many browsers write to this session at once.',
    meaning: 'Nothing was changed by this request.',
    action: 'Try again after `retryAfterSeconds`.',
  },
  'anonymous-full': {
    ...answeredWith(503, 'retryable'),
    title: 'The app lets no more browsers begin a session in which nobody is signed in, for now.',
    meaning: 'Nothing was stored. A browser keeps its changes, and sends them again later.',
    action: 'Sign in, or wait. `allowAnonymous` of createSessions decides.',
  },
  'sign-in-too-old': {
    ...answeredWith(403),
    title: 'The sign-in is too long ago to end other sessions.',
    meaning: 'No session was ended.',
    action: 'Ask the user to sign in again, then call it once more.',
  },
  unsupported: {
    ...answeredWith(501),
    title: 'What this app is set up with cannot do that.',
    meaning: 'Nothing was changed. Some stores keep no list of an owner’s sessions, for one.',
    action: 'Use a store that can, see docs/stores.md; or, in tests, a version of msw that is known.',
  },
  'unreadable-body': {
    ...answeredWith(500),
    title:
      'Something before the session routes has taken the request’s body, and left nothing that can be read.',
    meaning: 'Nothing was changed. A browser keeps its batch, and sends it again later.',
    action:
      'Put the session middleware before body parsers, and give `sessions.route` a request that nobody has read.',
  },
  'proxy-untrusted': {
    ...answeredWith(500),
    title:
      'A page of https has sent this request, and it arrived here as plain http, so the cookie would not be Secure.',
    meaning: 'Nothing was read or changed, and no cookie was set. Everybody stays as they were.',
    action:
      'Set `trustProxy` to the number of your proxies, and let the last one send X-Forwarded-Proto and X-Forwarded-Host. Or set `cookie: { secure: true }`.',
  },
  'session-taken': {
    ...answeredWith(500),
    title:
      'This request has a session already: express-session or another session middleware, or other sessions of session-mirror, were mounted before.',
    meaning:
      'Nothing was read or changed. With two, each would set its cookie and its headers for the other.',
    action:
      'Give each request one of them: mount an app that has sessions of its own before the sessions of the app around it, and let it answer everything below its path.',
  },
  'not-json': {
    ...thrownHere(),
    title: 'A session holds JSON values only.',
    meaning: 'Nothing was changed.',
    action: 'Convert the value first, for example a date to a number.',
  },
  'unknown-key': {
    ...thrownHere(),
    title: 'The schema has no such key.',
    meaning: 'Nothing was read or changed.',
    action: 'Add the key with `defineSession`, or correct its name.',
  },
  denied: {
    ...thrownHere(),
    title: 'The schema does not let the browser do this with the key.',
    meaning: 'Nothing was read or changed.',
    action: 'Make the key `readable` or `writable` in the schema, or do it on the server.',
  },
  invalid: {
    ...thrownHere(),
    title: 'The schema’s validator refuses the value.',
    meaning: 'Nothing was changed.',
    action: 'Give a value that the validator of the key allows.',
  },
  'outbox-full': {
    ...thrownHere(),
    title: 'The browser keeps no more unsent changes.',
    meaning: 'This change was not kept. The earlier ones are.',
    action: 'Wait until the server can be reached again.',
  },
  'pending-writes': {
    ...thrownHere(),
    title: 'There are unsent changes, and signOut was told to refuse them.',
    meaning: 'The session goes on, and the changes are kept.',
    action: 'Await `flush()`, or sign out with `pending: "discard"`.',
  },
  'answer-begun': {
    ...thrownHere(),
    title: 'The answer has begun, so the cookie that this change needs cannot be sent any more.',
    meaning: 'Nothing was stored: nobody was signed in or out, and no session began.',
    action:
      'Sign in, regenerate and begin a session before the head or the first byte of the answer is sent.',
  },
  'weak-secret': {
    ...thrownHere(),
    title: 'A secret is too short, too simple, or stands twice.',
    meaning: 'Cookies signed with it could be forged, so the server does not start.',
    action: 'Use 32 random characters or more. `npx session-mirror secret` prints a good secret.',
  },
  'invalid-option': {
    ...thrownHere(),
    title: 'An option has a value that cannot work.',
    meaning: 'What was to be made with it was not made.',
    action: 'Correct the option that the message names.',
  },
}

/** Whether an error of this code is thrown to the app's own code, and is nothing that a browser did. */
export function isMistakeOfApp(code: SessionErrorCode): boolean {
  return errorTable[code].status === 0
}

function answeredWith(status: number, kind?: 'retryable'): Pick<ErrorFacts, 'status' | 'retryable'> {
  return { status, retryable: kind === 'retryable' }
}

/** For an error that is thrown to the app's own code, and never crosses the wire. */
function thrownHere(): Pick<ErrorFacts, 'status' | 'retryable'> {
  return { status: 0, retryable: false }
}
