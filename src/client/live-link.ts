// The page's side of live events: loads what holds the stream, when the page has its session.
import { routesOf } from '../protocol/names.ts'
import { absolute } from '../mirror/wire/send.ts'
import type { LiveEvents, LiveEventsOptions } from './live-events.ts'
import type { ServerLink } from './server-link.ts'

export interface LiveLinkOptions
  extends Pick<LiveEventsOptions, 'mirror' | 'fetch' | 'lock'>, Pick<ServerLink, 'take' | 'pull'> {
  /** Undefined: in a browser. */
  readonly isWanted: boolean | undefined
  /** The base of the session routes. */
  readonly base: string
}

export interface LiveLink {
  /** Loads and starts it, where it is wanted. Rejects where it cannot be loaded. */
  start(): Promise<void>
  close(): void
}

export function linkLiveEvents({ isWanted, base, take, pull, ...rest }: LiveLinkOptions): LiveLink {
  let events: LiveEvents | undefined
  let isClosed = false
  return {
    async start() {
      if (!(isWanted ?? typeof document !== 'undefined')) return
      const { createLiveEvents } = await import('./live-events.ts')
      if (isClosed) return
      const { mirror, fetch, lock } = rest
      const url = routesOf(absolute(base)).events
      events = createLiveEvents({
        mirror,
        fetch,
        lock,
        url,
        onNews: (hint) => void take(hint),
        onDoubt: pull,
      })
    },
    close() {
      isClosed = true
      events?.close()
    },
  }
}
