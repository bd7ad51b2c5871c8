// One stream of server-sent events (HTML standard, "Server-sent events"). Each event is a patch, named after the state
// it leads to, so that a browser which comes back says where it was. The stream looks at the store and never uses the
// session: an open page is not a person.
import { SessionError } from '../../protocol/errors.ts'
import { type Known, patchOf } from '../changes/patch.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import { type Core, now } from '../core/core.ts'
import type { LiveSession } from '../lifecycle/loaded.ts'
import { type Located, locate } from '../lifecycle/locate.ts'

/** Milliseconds after which a browser that lost the stream comes again. */
const retryMilliseconds = 2000

export class EventStream implements AsyncIterable<string> {
  readonly #core: Core
  readonly #epoch: string
  readonly #bell: Bell = new Bell()
  readonly #unsubscribe: () => void
  readonly #onClose: () => void
  #place: Place
  /** What the browser has. */
  #known: Known | undefined
  #isOver = false

  /** `known`: what the browser says it has; undefined: nothing. `onClose` is called once, however it ends. */
  constructor(
    core: Core,
    { place, record }: LiveSession,
    { known, onClose }: { readonly known: Known | undefined; readonly onClose: () => void },
  ) {
    this.#core = core
    this.#epoch = record.epoch
    this.#place = place
    this.#known = known
    this.#onClose = onClose
    this.#unsubscribe = core.feed.subscribe(record.epoch, () => this.#bell.ring())
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
        if (this.#isOver) return
        // oxlint-disable-next-line no-await-in-loop -- and waits in between
        if (!(await this.#bell.heard(this.#core.heartbeatSeconds * 1000))) yield ': \n\n'
      }
    } finally {
      this.#close()
    }
  }

  /** What is new, or undefined; closes the stream when the session is over. */
  async #nextEvent(): Promise<string | undefined> {
    const found = await this.#look()
    if (found === undefined || this.#isOver) return undefined
    if (found.state !== 'live' || this.#isAnother(found.record)) {
      this.#close()
      return 'event: ended\ndata: {}\n\n'
    }
    this.#place = found.place
    const { record } = found
    if (this.#known?.epoch === record.epoch && this.#known.since === record.revision) return undefined
    const patch = patchOf(record, this.#known, this.#core.schema)
    this.#known = { epoch: record.epoch, since: record.revision }
    return `event: patch\nid: ${record.epoch}.${record.revision}\ndata: ${JSON.stringify(patch)}\n\n`
  }

  /** Undefined: the store does not answer, which says nothing about the session. */
  async #look(): Promise<Located | undefined> {
    try {
      return await locate(this.#core, this.#place, 'look')
    } catch (error) {
      if (error instanceof SessionError) return undefined
      throw error
    }
  }

  #isAnother(record: SessionRecord): boolean {
    return record.epoch !== this.#epoch || now(this.#core) >= record.expires
  }

  #close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unsubscribe()
    this.#onClose()
    this.#bell.ring()
  }
}

/** Wakes one who waits, also when it rang before. */
class Bell {
  #hasRung = false
  #wake: ((hasRung: boolean) => void) | undefined

  ring(): void {
    this.#hasRung = true
    this.#wake?.(true)
  }

  /** True when it rang, perhaps before; false after so many milliseconds of silence. */
  async heard(milliseconds: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const hasRung = await new Promise<boolean>((resolve) => {
      this.#wake = resolve
      if (this.#hasRung) resolve(true)
      else timer = setTimeout(resolve, milliseconds, false)
    })
    clearTimeout(timer)
    this.#wake = undefined
    if (hasRung) this.#hasRung = false
    return hasRung
  }
}
