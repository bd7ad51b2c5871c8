// Every name that two sides must agree on: headers, routes, locks, channels, databases.

export const headers = {
  /** On a state-changing request: makes it non-safelisted, so another origin needs a preflight it won't get. */
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

export interface Routes {
  readonly mirror: string
  readonly sync: string
  readonly refresh: string
  readonly events: string
  readonly diagnosis: string
}

/** The session's routes below `base`, for example `/session`. */
export function routesOf(base: string): Routes {
  const [sync, refresh, events] = [`${base}/sync`, `${base}/refresh`, `${base}/events`]
  return { mirror: base, sync, refresh, events, diagnosis: `${base}/diagnosis` }
}

/** Names of what a browser shares between tabs and worker: database, channel, the locks, and the tag of Background Sync. */
export interface SharedNames {
  readonly database: string
  readonly channel: string
  readonly syncLock: string
  readonly refreshLock: string
  readonly liveLock: string
  readonly syncTag: string
}

export function sharedNamesOf(base: string): SharedNames {
  const name = `session-mirror:${base}`
  const [syncLock, refreshLock, liveLock] = [`${name}:sync`, `${name}:refresh`, `${name}:live`]
  return { database: name, channel: name, syncLock, refreshLock, liveLock, syncTag: name }
}
