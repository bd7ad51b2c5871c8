// `GET /session/events`: server-sent events (HTML standard, "Server-sent events"). Each event is a patch, named
// after the state it leads to, so that a browser which comes back says where it was. The stream looks at the store
// and never uses the session: an open page is not a person.
import { SessionError } from '../../protocol/errors.ts'
import * as limits from '../../protocol/limits.ts'
import { isEpoch } from '../../protocol/state.ts'
import { type Core, now } from '../core/core.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { loadSession } from '../lifecycle/load.ts'
import { type LiveSession, deadError } from '../lifecycle/loaded.ts'
import { type Located, locate } from '../lifecycle/locate.ts'
import { type Known, parseKnown, patchOf } from '../changes/patch.ts'
import type { Place, SessionRecord } from '../codec/record.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, emptyAnswer, eventAnswer } from '../http/core-answer.ts'

export type OpenEvents = (request: CoreRequest) => Promise<CoreAnswer>

/** Milliseconds after which a browser that lost the stream comes again. */
const retryMilliseconds = 2000

/** @throws SessionError `stale`, `expired`, `ended`, `reuse`, `lost`, `streams-full`, `store-unavailable` */
export function createOpenEvents(lifecycle: Lifecycle): OpenEvents {
  const { core } = lifecycle
  const open = new Map<string, number>()

  function enter(epoch: string): () => void {
    const count = open.get(epoch) ?? 0
    if (count >= limits.sessionStreams)
      throw new SessionError('streams-full', undefined, { retryAfterSeconds: 5 })
    open.set(epoch, count + 1)
    return () => {
      const left = (open.get(epoch) ?? 1) - 1
      if (left === 0) open.delete(epoch)
      else open.set(epoch, left)
    }
  }

  return async (request) => {
    const loaded = await loadSession(lifecycle, request)
    // An EventSource that is told 204 does not come again.
    if (loaded.state === 'none') return emptyAnswer([['vary', 'Cookie']])
    if (loaded.state === 'dead') throw deadError(loaded)
    if (loaded.isStale) throw new SessionError('stale')
    const known = parseLastId(request.header('last-event-id')) ?? parseKnown(request.url)
    return eventAnswer(streamOf(core, loaded, { known, leave: enter(loaded.record.epoch) }))
  }
}

interface Start {
  readonly known: Known | undefined
  leave(): void
}

function streamOf(core: Core, loaded: LiveSession, { known, leave }: Start): AsyncIterable<string> {
  const { epoch } = loaded.record
  const bell = createBell()
  const unsubscribe = core.feed.subscribe(epoch, bell.ring)
  let place: Place = loaded.place
  let sent = known
  let isOver = false

  function close(): void {
    if (isOver) return
    isOver = true
    unsubscribe()
    leave()
    bell.ring()
  }

  /** What is new, or undefined; closes the stream when the session is over. */
  async function news(): Promise<string | undefined> {
    const found = await look()
    if (found === undefined || isOver) return undefined
    if (found.state !== 'live' || isAnother(found.record)) {
      close()
      return 'event: ended\ndata: {}\n\n'
    }
    place = found.place
    const { record } = found
    if (sent?.epoch === epoch && sent.since === record.revision) return undefined
    const patch = patchOf(record, sent, core.schema)
    sent = { epoch, since: record.revision }
    return `event: patch\nid: ${epoch}.${record.revision}\ndata: ${JSON.stringify(patch)}\n\n`
  }

  /** Undefined: the store does not answer, which says nothing about the session. */
  async function look(): Promise<Located | undefined> {
    try {
      return await locate(core, place, 'look')
    } catch (error) {
      if (error instanceof SessionError) return undefined
      throw error
    }
  }

  function isAnother(record: SessionRecord): boolean {
    return record.epoch !== epoch || now(core) >= record.expires
  }

  async function* events(): AsyncGenerator<string> {
    try {
      yield `retry: ${retryMilliseconds}\n\n`
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is one after another
        const event = await news()
        if (event !== undefined) yield event
        if (isOver) return
        // oxlint-disable-next-line no-await-in-loop -- and waits in between
        if (!(await bell.heard(core.heartbeatSeconds * 1000))) yield ': \n\n'
      }
    } finally {
      close()
    }
  }

  const iterator = events()
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => iterator.next(),
      // A generator that waits cannot be returned from: it is woken first.
      async return() {
        close()
        return iterator.return(undefined)
      },
    }),
  }
}

interface Bell {
  ring(): void
  /** True when it rang, perhaps before; false after so many milliseconds of silence. */
  heard(milliseconds: number): Promise<boolean>
}

function createBell(): Bell {
  let hasRung = false
  let wake: ((hasRung: boolean) => void) | undefined
  return {
    ring() {
      hasRung = true
      wake?.(true)
    },
    async heard(milliseconds) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const rang = await new Promise<boolean>((resolve) => {
        wake = resolve
        if (hasRung) resolve(true)
        else timer = setTimeout(resolve, milliseconds, false)
      })
      clearTimeout(timer)
      wake = undefined
      if (rang) hasRung = false
      return rang
    },
  }
}

/** `E.R`, as we named the last event that came. */
function parseLastId(id: string | undefined): Known | undefined {
  const [epoch, revision = ''] = (id ?? '').split('.')
  return isEpoch(epoch) && /^\d{1,15}$/.test(revision) ? { epoch, since: Number(revision) } : undefined
}
