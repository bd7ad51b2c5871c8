// What an app says about its service worker, and what becomes of it.

import { SessionError } from '../protocol/errors.ts'
import { readApiList } from '../mirror/wire/api-list.ts'
import { absolute } from '../mirror/wire/send.ts'
import { type KindsOf, checkGiven } from './given-options.ts'

/** The options of the service worker. `url` is needed. */
export interface WorkerOptions {
  /**
   * Where the worker's script is served; its folder is its scope unless the server allows more. A `TrustedScriptURL` of a policy
   * of the app is left as it is: then it is the app that writes `session` and `api` into its query.
   */
  readonly url: string | TrustedUrl
  /**
   * Paths (`/api/`) and origins (`https://api.example`) whose requests get the session attached. With "!" before it, what begins
   * like this is left out of them: `!/api/upload/` for uploads that show their progress. @default ['/api/']
   */
  readonly api?: readonly string[]
  /**
   * The paths that the worker controls. The server must allow one above the script's folder by
   * `Service-Worker-Allowed`. @default the folder of the script
   */
  readonly scope?: string
}

/** A `TrustedScriptURL` (Trusted Types, section 2.2.3), which is not in TypeScript's library. */
export interface TrustedUrl {
  /** The url. */
  toJSON(): string
  /** The url. */
  toString(): string
}

/**
 * `waiting`: it does not control this page (yet); `older`, `newer`: it controls the page, and is of another version of
 * this library than the page; each does its own work meanwhile. `different`: it controls the page and serves another list of
 * requests, or other session routes, than this page asks for (or did so when the page was loaded, and browsers stay with that):
 * `session.fetch` does the page's own work, plain `fetch` only what that list has. `failed`: `diagnose` says why; it is tried
 * again when the server answers, and when the page comes back.
 */
export type WorkerState =
  | 'none'
  | 'unsupported'
  | 'registering'
  | 'waiting'
  | 'controlling'
  | 'older'
  | 'newer'
  | 'different'
  | 'failed'

export interface ResolvedWorker extends WorkerOptions {
  readonly api: readonly string[]
}

const workerKinds: KindsOf<WorkerOptions> = { url: 'string object', api: 'object', scope: 'string' }

/**
 * What was asked for, with its defaults; undefined for none.
 * @param base that of the session routes
 * @throws SessionError `invalid-option`
 */
export function workerOptions(
  wanted: string | WorkerOptions | false | undefined,
  base: string,
): ResolvedWorker | undefined {
  if (wanted === undefined || wanted === false) return undefined
  const options = typeof wanted === 'string' ? { url: wanted } : wanted
  checkGiven('createSession: worker', options, workerKinds)
  if (options.url === undefined)
    throw new SessionError('invalid-option', 'createSession: worker needs the url of its script.')
  const { api = ['/api/'] } = options
  // A sandboxed frame has no origin, and no worker.
  const page = typeof origin === 'undefined' || origin === 'null' ? 'http://localhost' : origin
  readApiList(api, { origin: page, session: base })
  return { ...options, api }
}

/** The script's url with its configuration behind it, so that a restarted worker knows it without asking. */
export function workerUrl({ url, api }: ResolvedWorker, base: string): string | TrustedUrl {
  if (typeof url !== 'string') return url
  const query = new URLSearchParams({ session: base, api: api.join(',') })
  return `${url}?${query.toString()}`
}

/**
 * Whether a page's own `session.fetch` attaches the session: to its own origin, to that of the session's server, and to those that
 * the worker was told to serve.
 */
export function isListed(url: string, base: string, worker: ResolvedWorker | undefined): boolean {
  const api = worker?.api ?? []
  const page = typeof origin === 'undefined' ? base : origin
  const { origin: asked } = new URL(url)
  return asked === page || [base, ...api].some((entry) => new URL(entry, absolute(base)).origin === asked)
}
