// The worker's view of the session: the mirror document, read again before every decision, because a worker may
// have slept for hours. Without storage it knows of no session, and then passes requests on as they are.
import { type Hint, type Notice, openChannel } from '../mirror/tabs/channel.ts'
import { connectDatabase } from '../mirror/storage/database-connection.ts'
import type { KnownSession } from '../mirror/sync/known-session.ts'
import { type MirrorDocument, emptyMirrorDocument, isBlank } from '../mirror/steps/local-state.ts'
import { parseMirrorDocument, toStoredMirror } from '../mirror/storage/stored-form.ts'
import type { SharedNames } from '../protocol/names.ts'

/** Storage is left alone for this long after it failed. */
const failurePauseMilliseconds = 30_000
/** For this long it is enough that the tabs tell. A tab that changed something and died at once did not. */
const recentMilliseconds = 250

export interface WorkerSession extends KnownSession {
  /** The kill switch was used: kept on disk, because the browser starts a worker again that still has pages. */
  readonly isRetired: boolean
  retire(isRetired: boolean): Promise<void>
  /** Storage was read a moment ago, and whatever the tabs changed since they have told. */
  readonly isRecent: boolean
  /** Tells the pages what is new. */
  tell(notice: Notice): void
  /** Resolves when a page has asked the server because of `hint`, or after this time. */
  untilTold(hint: Hint, milliseconds: number): Promise<void>
}

export function createWorkerSession({ database, channel }: SharedNames): WorkerSession {
  const { use } = connectDatabase(database)
  const listeners = new Set<() => void>()
  let document = emptyMirrorDocument()
  let isRetired = false
  let failedAt = Number.NEGATIVE_INFINITY
  let readAt = Number.NEGATIVE_INFINITY
  const pages = openChannel(channel, ({ mirror }) => {
    if (mirror === undefined || mirror.version <= document.version) return
    document = mirror
    for (const listener of listeners) listener()
  })

  async function reload(): Promise<void> {
    if (isFailing()) return
    try {
      const [known, retired] = await use((opened) => {
        // One transaction: this stands before every request.
        const { store } = opened.transaction('mirror')
        return Promise.all([store.get('mirror'), store.get('retired')])
      })
      // What a tab told meanwhile is newer than a read that began before; an empty database was cleared.
      const read = parse(known)
      if (isBlank(read) || read.version >= document.version) document = read
      isRetired = retired === true
      readAt = Date.now()
    } catch {
      fail()
    }
  }

  async function change(step: (document: MirrorDocument) => MirrorDocument): Promise<void> {
    try {
      await use(async (opened) => {
        const transaction = opened.transaction('mirror', 'readwrite')
        const before = parse(await transaction.store.get('mirror'))
        const after = step(before)
        if (after !== before) await transaction.store.put(toStoredMirror(after), 'mirror')
        await transaction.done
        document = after
      })
      pages.post({ mirror: document })
    } catch {
      // The server has done its part; the next one to look will find the cookie fresh or ask again.
      fail()
    }
  }

  /** Storage is gone: what this worker remembers may be another user's by now. */
  function fail(): void {
    document = emptyMirrorDocument()
    readAt = Number.NEGATIVE_INFINITY
    failedAt = Date.now()
  }

  /** A database that hangs must not hold up every request for as long as it takes to give it up. */
  function isFailing(): boolean {
    return Date.now() - failedAt < failurePauseMilliseconds
  }

  return {
    get document() {
      return document
    },
    reload,
    change,
    tell: pages.post,
    get isRecent() {
      return typeof BroadcastChannel !== 'undefined' && Math.abs(Date.now() - readAt) < recentMilliseconds
    },
    get isRetired() {
      return isRetired
    },
    async retire(value) {
      isRetired = value
      await use((opened) => opened.put('mirror', value, 'retired')).catch(fail)
    },
    untilTold(hint, milliseconds) {
      pages.post({ hint })
      if (isFailing()) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(done, milliseconds)
        listeners.add(look)
        const { notedAt, refreshedAt } = document
        function look(): void {
          // Other news may come first, a refreshed cookie for one: a page has to have asked the server.
          const isAsked = document.notedAt !== notedAt && document.refreshedAt === refreshedAt
          if (isAsked || hint.epoch === null || hint.epoch === document.epoch) done()
        }
        function done(): void {
          clearTimeout(timer)
          listeners.delete(look)
          resolve()
        }
      })
    },
  }
}

/** A document of another format is somebody else's: this worker knows nothing then. */
function parse(value: unknown): MirrorDocument {
  return parseMirrorDocument(value) ?? emptyMirrorDocument()
}
