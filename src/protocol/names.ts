// Every name that two sides must agree on: headers, routes, locks, channels, databases. Nothing else spells one of them out.

/** The protocol's own header fields, in lower case. */
export const headers = {
  /** On a state-changing request: makes the request non-safelisted, so a page of another origin needs a preflight, and gets none. */
  request: 'session-mirror',
  /** On an app request: the epoch the browser believes in. The server refuses another one with 409. */
  epoch: 'session-epoch',
  /** On an answer: `E.R`, or `none` when the request's cookie names no live session. */
  revision: 'session-revision',
  /** On an answer that set the cookie: seconds until it must be refreshed. */
  freshIn: 'session-fresh-in',
} as const

/**
 * Stands in `Session-Epoch` where no session may answer: no session has it as its epoch, so a sign-out that carries it
 * ends none, and a request of the app that carries it reads none.
 */
export const noSession = 'acknowledge'

/** The version of wire and storage. The worker and every tab compare it before they trust each other. */
export const format = 1

/** The id of the element in which a rendered page carries its session. `base` is the path of the session routes. */
export function embeddedId(base: string): string {
  return `session-mirror:${base}`
}

/** The paths, or URLs, of the session routes. */
export interface Routes {
  /** GET: the mirror. DELETE: sign-out. */
  readonly mirror: string
  /** POST: a batch, and what is new. */
  readonly sync: string
  /** POST: a new cookie. */
  readonly refresh: string
  /** GET: the event stream. */
  readonly events: string
  /** GET: how a request of this browser arrives. */
  readonly diagnosis: string
}

/**
 * The session routes below `base`.
 * @example routesOf('/session').sync // '/session/sync'
 */
export function routesOf(base: string): Routes {
  const [sync, refresh, events] = [`${base}/sync`, `${base}/refresh`, `${base}/events`]
  return { mirror: base, sync, refresh, events, diagnosis: `${base}/diagnosis` }
}

/** The names of what tabs and worker of one browser share. */
export interface SharedNames {
  /** The IndexedDB database. */
  readonly database: string
  /** The BroadcastChannel. */
  readonly channel: string
  /** The lock of whoever sends changes. */
  readonly syncLock: string
  /** The lock of whoever refreshes the cookie. */
  readonly refreshLock: string
  /** The lock of the tab that holds the event stream. */
  readonly liveLock: string
  /** The tag of Background Sync. */
  readonly syncTag: string
}

/**
 * The shared names of the session whose routes are below `base`: two sessions on one origin share nothing.
 * @example sharedNamesOf('/session').database // 'session-mirror:/session'
 */
export function sharedNamesOf(base: string): SharedNames {
  const name = `session-mirror:${base}`
  const [syncLock, refreshLock, liveLock] = [`${name}:sync`, `${name}:refresh`, `${name}:live`]
  return { database: name, channel: name, syncLock, refreshLock, liveLock, syncTag: name }
}
