// What this page says to the server: sync, refresh, and the app's own requests. Owns how they are joined.
import type { SharedNames } from '../protocol/names.ts'
import { attachedFetch, createSilent } from '../mirror/sync/attached-fetch.ts'
import { knownBy } from '../mirror/sync/known-session.ts'
import { createRefresh } from '../mirror/sync/refresh.ts'
import type { Contact } from '../mirror/sync/pass.ts'
import {
  type Sync,
  type SyncOptions,
  askForNews,
  createSync,
  sendOnly,
  wantedAfter,
} from '../mirror/sync/sync.ts'
import type { Hint } from '../mirror/tabs/channel.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Fetch } from '../mirror/wire/send.ts'
import { type Transport, createTransport } from '../mirror/wire/transport.ts'
import type { Emitter } from './events.ts'

export interface ServerLinkOptions {
  /** The base of the session routes. */
  readonly base: string
  readonly names: SharedNames
  readonly mirror: TabMirror
  /** Milliseconds. */
  readonly now: () => number
  readonly fetch: Fetch
  readonly onParked: SyncOptions['onParked']
  readonly emit: Emitter['emit']
  /** The server was asked, and this is how it went. */
  readonly onContact: (contact: Contact) => void
  /** A pass failed, and wants to be repeated after so many milliseconds. */
  readonly onRetry: (milliseconds: number) => void
}

export interface ServerLink {
  readonly sync: Sync
  readonly transport: Transport
  /** Asks for news. Never rejects. */
  pull(): Promise<void>
  /** Sends what is pending. Never rejects. */
  flush(): Promise<Contact>
  /** Asks for what `hint` says there is, unless the mirror has it by then. Never rejects. */
  take(hint: Hint): Promise<Contact>
  /** Refreshes the cookie now. False when the server could not be reached, or the session was over. */
  extend(): Promise<boolean>
  /** `fetch` with the session attached. */
  readonly attached: Fetch
  /** URLs of a few listed requests whose answers said nothing of the session. */
  silentUrls(): readonly string[]
}

export function connectServer(options: ServerLinkOptions): ServerLink {
  const { base, names, mirror, now, fetch, emit } = options
  const transport = createTransport(base, { fetch, onExchange: (exchange) => emit('exchange', exchange) })
  const known = knownBy(mirror)
  const refresh = createRefresh({ known, request: transport.refresh, lock: names.refreshLock, now })
  const onDiscarded: SyncOptions['onDiscarded'] = (discarded) => emit('discarded', discarded)
  const sync = createSync({ ...options, transport, refresh, lock: names.syncLock, onDiscarded })
  const silent = createSilent()

  const pull = async (): Promise<void> => void (await sync.run(askForNews))
  const flush = (): Promise<Contact> => sync.run(sendOnly)
  const take = (hint: Hint): Promise<Contact> => sync.run(() => wantedAfter(hint, mirror.document))
  const news = { onLeaving: flush, onOther: take, onNewer: (hint: Hint) => void take(hint) }

  return {
    sync,
    transport,
    pull,
    flush,
    take,
    async extend() {
      const { kind } = await refresh.after(now())
      if (kind === 'over') await pull()
      return kind === 'fresh'
    },
    attached: attachedFetch({ known, refresh, now, ...news, onSilent: silent.note }, fetch),
    silentUrls: silent.urls,
  }
}
