// The worker's view of the session: the mirror document, read again before every decision, because a worker may
// have slept for hours. Without storage it knows of no session, and then passes requests on as they are.
import { openChannel, type Hint } from '../mirror/channel.ts'
import { connect } from '../mirror/connection.ts'
import type { KnownSession } from '../mirror/known.ts'
import { type MirrorDocument, emptyMirrorDocument, parseMirrorDocument } from '../mirror/local.ts'
import type { SharedNames } from '../protocol/names.ts'

export interface WorkerSession extends KnownSession {
  /** Tells the pages what an answer said. */
  hint(hint: Hint): void
  /** Resolves when a page has found out what is, or after `patience` milliseconds. */
  untilPulled(hint: Hint, patience: number): Promise<void>
}

export function createWorkerSession({ database, channel }: SharedNames): WorkerSession {
  const { use } = connect(database)
  const listeners = new Set<() => void>()
  let document = emptyMirrorDocument()
  const pages = openChannel(channel, ({ mirror }) => {
    if (mirror === undefined || mirror.version <= document.version) return
    document = mirror
    for (const listener of listeners) listener()
  })

  async function reload(): Promise<void> {
    try {
      document = parse(await use((opened) => opened.get('mirror', 'mirror')))
    } catch {
      // Storage is gone: what this worker remembers may be another user's by now.
      document = emptyMirrorDocument()
    }
  }

  async function change(step: (document: MirrorDocument) => MirrorDocument): Promise<void> {
    try {
      await use(async (opened) => {
        const transaction = opened.transaction('mirror', 'readwrite')
        const before = parse(await transaction.store.get('mirror'))
        const after = step(before)
        if (after !== before) await transaction.store.put(after, 'mirror')
        await transaction.done
        document = after
      })
      pages.post({ mirror: document })
    } catch {
      // The server has done its part; the next one to look will find the cookie fresh or ask again.
    }
  }

  return {
    get document() {
      return document
    },
    reload,
    change,
    hint: (hint) => pages.post({ hint }),
    untilPulled(hint, patience) {
      const { epoch } = document.mirror
      pages.post({ hint })
      return new Promise((resolve) => {
        const timer = setTimeout(done, patience)
        listeners.add(look)
        function look(): void {
          if (document.mirror.epoch !== epoch) done()
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
