// What an app says about its service worker, and what becomes of it.

/** The options of the service worker. `url` is needed. */
export interface WorkerOptions {
  /** Where the worker's script is served; its folder is its scope unless the server allows more. */
  readonly url: string
  /** Paths (`/api/`) and origins (`https://api.example`) whose requests get the session attached. @default ['/api/'] */
  readonly api?: readonly string[]
  /**
   * The paths that the worker controls. The server must allow one above the script's folder by
   * `Service-Worker-Allowed`. @default the folder of the script
   */
  readonly scope?: string
}

/**
 * `waiting`: it does not control this page (yet); `older`, `newer`: it controls the page, and is of another version of
 * this library than the page; each does its own work meanwhile. `failed`: `diagnose` says why.
 */
export type WorkerState =
  | 'none'
  | 'unsupported'
  | 'registering'
  | 'waiting'
  | 'controlling'
  | 'older'
  | 'newer'
  | 'failed'

export interface ResolvedWorker extends WorkerOptions {
  readonly api: readonly string[]
}

/** What was asked for, with its defaults; undefined for none. */
export function workerOptions(
  wanted: string | WorkerOptions | false | undefined,
): ResolvedWorker | undefined {
  if (wanted === undefined || wanted === false) return undefined
  const options = typeof wanted === 'string' ? { url: wanted } : wanted
  return { ...options, api: options.api ?? ['/api/'] }
}

/** The script's url with its configuration behind it, so that a restarted worker knows it without asking. */
export function workerUrl({ url, api }: ResolvedWorker, base: string): string {
  const query = new URLSearchParams({ session: base, api: api.join(',') })
  return `${url}?${query.toString()}`
}

/**
 * Whether a page's own `session.fetch` attaches the session: to its own origin, to that of the session's server, and to those that
 * the worker was told to serve.
 */
export function isListed(url: string, base: string, worker: ResolvedWorker | undefined): boolean {
  const api = worker?.api ?? []
  const page = typeof location === 'undefined' ? base : location.href
  return [page, base, ...api].some((entry) => new URL(entry, page).origin === new URL(url).origin)
}
