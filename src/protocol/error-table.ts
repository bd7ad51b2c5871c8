// What each code means: its HTTP status, whether trying again can help, and a sentence for people. Kept apart
// from the error class, so that a browser does not download sentences that it never shows.
import type { SessionErrorCode } from './errors.ts'

export interface Fact {
  /** HTTP status of the answer, or 0 for an error that never crosses the wire. */
  readonly status: number
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean
  /** What happened, and what to do about it. */
  readonly title: string
}

export const errorTable: Readonly<Record<SessionErrorCode, Fact>> = {
  malformed: fact(400, 'The request is not what the protocol says. Compare it with docs/protocol.md.'),
  'ambiguous-cookie': fact(
    400,
    'Two different valid session cookies came in one request. Clear the site data.',
  ),
  stale: fact(
    401,
    'The session cookie has to be refreshed first: POST to the refresh route, then repeat.',
    true,
  ),
  expired: fact(401, 'The session was idle for too long, or reached its absolute end. Sign in again.'),
  ended: fact(401, 'The session was signed out or replaced by a new sign-in.'),
  reuse: fact(
    401,
    'A rotated session id was used again after its grace time; the session was ended. Sign in again.',
  ),
  'cross-site': fact(403, 'The request comes from another site, or does not say where it comes from.'),
  'not-found': fact(404, 'There is no such session route.'),
  'method-not-allowed': fact(405, 'The session route does not take this method.'),
  lost: fact(
    409,
    'The store no longer has this session (restarted or evicted). Start anew or sign in again.',
  ),
  'epoch-mismatch': fact(
    409,
    'The request speaks of another session than its cookie. Pull, then decide again.',
  ),
  'batch-fork': fact(409, 'Another batch with this number was already applied. Seal under a new client id.'),
  'too-large': fact(
    413,
    'The request or the session is larger than the limit. See docs/protocol.md, limits.',
  ),
  'unsupported-type': fact(415, 'A session route takes application/json with the Session-Mirror header.'),
  'store-unavailable': fact(503, 'The session store does not answer. Nothing was changed; try again.', true),
  contention: fact(
    503,
    'Too many writers changed this session at once. Nothing was changed; try again.',
    true,
  ),
  'streams-full': fact(503, 'Too many event streams of this session are open. Close one.', true),
  'clients-full': fact(503, 'Too many browsers write to this session at once. Try again.', true),
  unsupported: fact(501, 'The store of this app cannot do that. See docs/stores.md.'),

  'not-json': fact(0, 'A session holds JSON values only.'),
  'unknown-key': fact(0, 'The schema has no such key. Add it with defineSession.'),
  denied: fact(0, 'The schema does not let the browser do this with the key.'),
  invalid: fact(0, "The schema's validator refuses the value."),
  'outbox-full': fact(0, 'The browser keeps no more unsent changes. Wait until it is online again.'),
  'pending-writes': fact(0, 'There are unsent changes, and signOut was told to refuse them.'),
  'weak-secret': fact(
    0,
    'A secret must have 32 random characters or more, and none may stand twice. `npx session-mirror secret` prints a good one.',
  ),
  'invalid-option': fact(0, 'An option has a value that cannot work.'),
}

function fact(status: number, title: string, retryable = false): Fact {
  return { status, title, retryable }
}
