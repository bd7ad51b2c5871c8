// The worker's view of the session: the mirror document, read again before every decision, because a worker may
// have slept for hours. Without storage it knows of no session, and then passes requests on as they are.
import { type Channel, type Hint, type Notice, openChannel } from '../mirror/tabs/channel.ts'
import {
  type Database,
  type DatabaseConnection,
  connectDatabase,
} from '../mirror/storage/database-connection.ts'
import type { KnownSession } from '../mirror/sync/known-session.ts'
import { type MirrorDocument, emptyMirrorDocument, isBlank } from '../mirror/steps/local-state.ts'
import { parseMirrorDocument, toStoredMirror } from '../mirror/storage/stored-form.ts'
import type { SharedNames } from '../protocol/names.ts'

/** Storage is left alone for this long after it failed. */
const failurePauseMilliseconds = 30_000
/** For this long it is enough that the tabs tell. A tab that changed something and died at once did not. */
const recentMilliseconds = 250

/** What this worker knows. Made once for each start of the worker; what it remembers may be old at any time. */
export class WorkerSession implements KnownSession {
  readonly #database: DatabaseConnection
  readonly #pages: Channel
  readonly #listeners = new Set<() => void>()
  #document = emptyMirrorDocument()
  #isRetired = false
  #failedAt = Number.NEGATIVE_INFINITY
  #readAt = Number.NEGATIVE_INFINITY

  constructor({ database, channel }: SharedNames) {
    this.#database = connectDatabase(database)
    this.#pages = openChannel(channel, ({ mirror }) => {
      if (mirror === undefined || mirror.version <= this.#document.version) return
      this.#document = mirror
      for (const listener of this.#listeners) listener()
    })
  }

  get document(): MirrorDocument {
    return this.#document
  }

  /** The kill switch was used: kept on disk, because the browser starts a worker again that still has pages. */
  get isRetired(): boolean {
    return this.#isRetired
  }

  /** Storage was read a moment ago, and the tabs have told what they changed since. */
  get isRecent(): boolean {
    return typeof BroadcastChannel !== 'undefined' && Math.abs(Date.now() - this.#readAt) < recentMilliseconds
  }

  async reload(): Promise<void> {
    if (this.#isFailing()) return
    try {
      const { document, isRetired } = await this.#database.use((opened) => readTable(opened))
      // What a tab told meanwhile is newer than a read that began before; an empty database was cleared.
      if (isBlank(document) || document.version >= this.#document.version) this.#document = document
      this.#isRetired = isRetired
      this.#readAt = Date.now()
    } catch {
      this.#fail()
    }
  }

  async change(step: (document: MirrorDocument) => MirrorDocument): Promise<void> {
    try {
      this.#document = await this.#database.use((opened) => changeDocument(opened, step))
      this.#pages.post({ mirror: this.#document })
    } catch {
      // The server has done its part; the next one to look will find the cookie fresh or ask again.
      this.#fail()
    }
  }

  async retire(isRetired: boolean): Promise<void> {
    this.#isRetired = isRetired
    // Not by idb's shortcut: the script is built without those.
    await this.#database
      .use(async (opened) => {
        const transaction = opened.transaction('mirror', 'readwrite')
        await transaction.store.put(isRetired, 'retired')
        await transaction.done
      })
      .catch(() => this.#fail())
  }

  /** Tells the pages what is new. */
  tell(notice: Notice): void {
    this.#pages.post(notice)
  }

  /** Resolves when a page has asked the server because of `hint`, or after this time. */
  async untilTold(hint: Hint, milliseconds: number): Promise<void> {
    this.#pages.post({ hint })
    // Without storage, and with no word of a tab, there is nothing that could change. Else a tab's next word is waited for: who asks
    // again and again must not be answered at once each time.
    if (this.#isFailing() && isBlank(this.#document)) return
    const { notedAt, refreshedAt } = this.#document
    let end: (() => void) | undefined
    await new Promise<void>((resolve) => {
      const look = (): void => {
        const { document } = this
        // Other news may come first, a refreshed cookie for one: a page has to have asked the server.
        const isAsked = document.notedAt !== notedAt && document.refreshedAt === refreshedAt
        if (isAsked || hint.epoch === null || hint.epoch === document.epoch) resolve()
      }
      const timer = setTimeout(resolve, milliseconds)
      this.#listeners.add(look)
      end = () => {
        clearTimeout(timer)
        this.#listeners.delete(look)
      }
    })
    end?.()
  }

  /** Storage is gone: what this worker remembers may be another user's by now. */
  #fail(): void {
    this.#document = emptyMirrorDocument()
    this.#readAt = Number.NEGATIVE_INFINITY
    this.#failedAt = Date.now()
  }

  /** A database that hangs must not hold up every request for as long as it takes to give it up. */
  #isFailing(): boolean {
    return Date.now() - this.#failedAt < failurePauseMilliseconds
  }
}

/** In one transaction, because this stands before every request. */
async function readTable(
  opened: Database,
): Promise<{ readonly document: MirrorDocument; readonly isRetired: boolean }> {
  const { store } = opened.transaction('mirror')
  const [known, retired] = await Promise.all([store.get('mirror'), store.get('retired')])
  return { document: parse(known), isRetired: retired === true }
}

/** The document after the step, which is kept. */
async function changeDocument(
  opened: Database,
  step: (document: MirrorDocument) => MirrorDocument,
): Promise<MirrorDocument> {
  const transaction = opened.transaction('mirror', 'readwrite')
  const before = parse(await transaction.store.get('mirror'))
  const after = step(before)
  if (after !== before) await transaction.store.put(toStoredMirror(after), 'mirror')
  await transaction.done
  return after
}

/** A document of another format is somebody else's: this worker knows nothing then. */
function parse(value: unknown): MirrorDocument {
  return parseMirrorDocument(value) ?? emptyMirrorDocument()
}
