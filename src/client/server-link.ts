// What this page says to the server: sync, refresh, and the app's own requests. Owns how they are joined.
import type { MirrorMessage } from '../protocol/messages.ts'
import type { SharedNames } from '../protocol/names.ts'
import { attachedFetch, createSilent } from '../mirror/sync/attached-fetch.ts'
import { knownBy } from '../mirror/sync/known-session.ts'
import { type Recovery, createRecovery } from '../mirror/sync/recovery.ts'
import { type Refresh, type Refreshed, createRefresh } from '../mirror/sync/refresh.ts'
import type { Contact, Turn } from '../mirror/sync/pass.ts'
import {
  type Sync,
  type SyncOptions,
  askForNews,
  createSync,
  sendOnly,
  wantedAfter,
} from '../mirror/sync/sync.ts'
import type { DiskMark } from '../mirror/storage/fallback-storage.ts'
import type { Journal } from '../mirror/storage/storage.ts'
import type { Hint } from '../mirror/tabs/channel.ts'
import { withLock } from '../mirror/tabs/lock.ts'
import { QuietMirror } from '../mirror/tabs/quiet-mirror.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Fetch } from '../mirror/wire/send.ts'
import { type Transport, createTransport } from '../mirror/wire/transport.ts'
import { takeEmbedded } from './embedded.ts'
import { isPrerendered } from './prerendering.ts'
import type { Emitter } from './events.ts'

export interface ServerLinkOptions {
  /** The base of the session routes. */
  readonly base: string
  readonly names: SharedNames
  readonly mirror: TabMirror
  /** Milliseconds. */
  readonly now: () => number
  readonly fetch: Fetch
  /** For a page that is only prerendered: resolves when it is opened. Nothing is sent before but the app's own requests. */
  readonly opened: Promise<void> | undefined
  /** What is remembered while the disk does not hear of it. */
  readonly mark: DiskMark | undefined
  /** What an earlier page of this tab may have left, which had no disk. */
  readonly journal: Journal | undefined
  readonly onParked: SyncOptions['onParked']
  readonly emit: Emitter['emit']
  /** The server was asked, and this is how it went. */
  readonly onContact: (contact: Contact) => void
  /** A pass failed, and wants to be repeated after so many milliseconds. */
  readonly onRetry: (milliseconds: number) => void
}

export interface ServerLink extends Recovery {
  readonly sync: Sync
  readonly transport: Transport
  /** Asks for news. Never rejects. */
  pull(): Promise<void>
  /** Sends what is pending. Never rejects. */
  flush(): Promise<Contact>
  /** Asks for what `hint` says there is, unless the mirror has it by then. Never rejects. */
  take(hint: Hint): Promise<Contact>
  /** Takes what the page carries of its session. */
  takeEmbedded(message: MirrorMessage): ReturnType<typeof takeEmbedded>
  /** Refreshes the cookie now. False when the server could not be reached, or the session was over. */
  extend(): Promise<boolean>
  /** `fetch` with the session attached. */
  readonly attached: Fetch
  /** URLs of a few listed requests whose answers said nothing of the session. */
  silentUrls(): readonly string[]
}

export function connectServer(options: ServerLinkOptions): ServerLink {
  const { base, names, mirror, now, fetch, emit, opened } = options
  const transport = createTransport(base, { fetch, onExchange: (exchange) => emit('exchange', exchange) })
  const known = knownBy(new QuietMirror(mirror))
  const turn: Turn = (work) => withLock(names.refreshLock, work).finally(() => mirror.calls.release())
  const refresh = onceOpened(createRefresh({ known, request: transport.refresh, turn, now }))
  const onDiscarded: SyncOptions['onDiscarded'] = (discarded) => emit('discarded', discarded)
  const looping = createSync({ ...options, transport, refresh, lock: names.syncLock, onDiscarded })
  const sync: Sync =
    opened === undefined
      ? looping
      : { ...looping, run: (wish, urgency) => opened.then(() => looping.run(wish, urgency)) }
  const silent = createSilent()
  const onDisk = (): void => void sync.run(sendOnly)
  const recovery = createRecovery({ ...options, onDisk })

  const pull = async (): Promise<void> => void (await sync.run(askForNews))
  const flush = (): Promise<Contact> => sync.run(sendOnly, 'person')
  const take = (hint: Hint): Promise<Contact> => sync.run(() => wantedAfter(hint, mirror.document))
  const leave = (): Promise<Contact> => sync.run(sendOnly)
  const news = { onLeaving: leave, onOther: take, onNewer: (hint: Hint) => void take(hint) }

  return {
    sync,
    transport,
    pull,
    flush,
    take,
    takeEmbedded: (message) => takeEmbedded(mirror, message, { ...options, onDiscarded }),
    async extend() {
      if (looping.isClosed()) return false
      const { kind } = await refresh.after(now(), true)
      if (kind === 'over') await pull()
      return kind === 'fresh'
    },
    ...recovery,
    attached: attachedFetch({ known, refresh, now, ...news, onSilent: silent.note }, fetch),
    silentUrls: silent.urls,
  }
}

/** A prerendered page renews nothing: the app's own request goes out with the cookie as it is. */
function onceOpened({ ahead, after }: Refresh): Refresh {
  return {
    ahead: async () => (isPrerendered() ? failed : ahead()),
    after: async (sentAt, isPersons) => (isPrerendered() ? failed : after(sentAt, isPersons)),
  }
}

const failed: Refreshed = { kind: 'failed' }
