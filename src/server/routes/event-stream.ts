// One stream of server-sent events (HTML standard, "Server-sent events"). Each event is a patch, named after the state
// it leads to, so that a browser which comes back says where it was. The stream looks at the store and never uses the
// session: an open page is not a person.
import { type Known, patchOf } from '../changes/patch.ts'
import type { Core } from '../core/core.ts'
import type { LiveSession } from '../lifecycle/loaded.ts'
import { Follower, type FollowerTools } from './follower.ts'

/** Milliseconds after which a browser that lost the stream comes again. */
const retryMilliseconds = 2000

export class EventStream implements AsyncIterable<string> {
  readonly #core: Core
  readonly #follower: Follower
  readonly #onClose: () => void
  /** What the browser has. */
  #known: Known | undefined

  /** `known`: what the browser says it has; undefined: nothing. `onClose` is called once, however it ends. */
  constructor(
    tools: FollowerTools,
    session: LiveSession,
    { known, onClose }: { readonly known: Known | undefined; readonly onClose: () => void },
  ) {
    this.#core = tools.core
    this.#follower = new Follower(tools, session, session.loadedAt)
    this.#known = known
    this.#onClose = onClose
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    const events = this.#events()
    return {
      next: () => events.next(),
      // A generator that waits cannot be returned from: it is woken first.
      return: async () => {
        this.#close()
        return events.return(undefined)
      },
    }
  }

  async *#events(): AsyncGenerator<string> {
    try {
      yield `retry: ${retryMilliseconds}\n\n`
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is one after another
        const event = await this.#nextEvent()
        if (event !== undefined) yield event
        if (this.#follower.isClosed) return
        // oxlint-disable-next-line no-await-in-loop -- and waits in between
        if (!(await this.#follower.heard())) yield ': \n\n'
      }
    } finally {
      this.#close()
    }
  }

  /** What is new, or undefined; closes the stream when the session is over. */
  async #nextEvent(): Promise<string | undefined> {
    const found = await this.#follower.look()
    if (found === undefined || this.#follower.isClosed) return undefined
    if (found.state !== 'live') {
      this.#close()
      return 'event: ended\ndata: {}\n\n'
    }
    const { record } = found
    if (this.#known?.epoch === record.epoch && this.#known.since === record.revision) return undefined
    const patch = patchOf(record, this.#known, this.#core.schema)
    this.#known = { epoch: record.epoch, since: record.revision }
    return `event: patch\nid: ${record.epoch}.${record.revision}\ndata: ${JSON.stringify(patch)}\n\n`
  }

  #close(): void {
    if (this.#follower.isClosed) return
    this.#follower.close()
    this.#onClose()
  }
}
