// The page's side of live events: loads what holds the stream, when the page has its session.
import { routesOf } from '../protocol/names.ts'
import { absolute } from '../mirror/wire/send.ts'
import { loadPart } from './load-part.ts'
import type { LiveEvents, LiveEventsOptions } from './live-events.ts'
import { Retries } from './retries.ts'
import type { ServerLink } from './server-link.ts'

export interface LiveLinkOptions
  extends Pick<LiveEventsOptions, 'mirror' | 'fetch' | 'lock'>, Pick<ServerLink, 'take' | 'pull'> {
  /** Undefined: in a browser. */
  readonly isWanted: boolean | undefined
  /** The base of the session routes. */
  readonly base: string
}

export interface LiveLink {
  /** Loads and starts it, where it is wanted. Never rejects. */
  start(): Promise<void>
  /** Once more where it could not be loaded. */
  again(): void
  close(): void
}

export function linkLiveEvents({ isWanted, base, take, pull, ...rest }: LiveLinkOptions): LiveLink {
  let events: LiveEvents | undefined
  let isClosed = false
  const retries = new Retries()

  async function start(): Promise<void> {
    if (!(isWanted ?? typeof document !== 'undefined')) return
    retries.begin()
    const loaded = await loadPart(() => import('./live-events.ts'))
    // Without it the page learns of changes in all the other ways.
    if (loaded === undefined) return retries.failed()
    if (isClosed) return
    retries.succeeded()
    const { mirror, fetch, lock } = rest
    const url = routesOf(absolute(base)).events
    events = loaded.createLiveEvents({ mirror, fetch, lock, url, onNews: take, onDoubt: pull })
  }

  return {
    start,
    again() {
      if (!isClosed && retries.isDue) void start()
    },
    close() {
      isClosed = true
      events?.close()
    },
  }
}
