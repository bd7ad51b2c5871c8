// Hearing at once what other devices change: one visible tab holds the server's event stream, chosen by a Web Lock; the
// others learn from it as they learn from any tab. A stream only wakes: what is new comes by a pull, the one way in. All
// other ways to hear of a change work without it.
import type { Fetch } from '../mirror/wire/send.ts'
import type { Hint } from '../mirror/tabs/channel.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Epoch } from '../protocol/state.ts'
import { readEvents } from './event-stream.ts'

export interface LiveOptions {
  readonly mirror: TabMirror
  /** The whole url of the events route. */
  readonly url: string
  readonly fetch: Fetch
  readonly lock: string
  /** There is something newer. */
  readonly onNews: (hint: Hint) => void
  /** Something is wrong with the session or its cookie: only a pull knows. Awaited before the stream is opened again. */
  readonly onDoubt: () => Promise<unknown>
}

export interface Live {
  close(): void
}

/** How a stream ended: to be opened again soon, or later, or not for this session. */
type End = 'soon' | 'never' | { readonly afterMilliseconds: number }

/** Milliseconds until the next try, doubled with each failure, with jitter. */
const rest = { first: 1000, longest: 60_000 }
/** A server gives a sign of life every 25 seconds; without one for so long something in between holds it back. */
const silence = 60_000
/** A stream that lived so long was a good one. */
const good = 30_000
/** No such route, or no way to tell: an older server, or one that keeps sessions in the cookie. */
const never: readonly number[] = [204, 404, 405, 501]

export function createLive({ mirror, url, fetch, lock, onNews, onDoubt }: LiveOptions): Live {
  const listening = new AbortController()
  let running: { readonly abort: AbortController; readonly epoch: Epoch } | undefined
  let refused: Epoch | undefined

  const epochNow = (): Epoch | null => {
    return mirror.pendingSignOut === undefined ? mirror.epoch : null
  }

  /** Starts, stops, or starts anew for another session. */
  function look(): void {
    const epoch = isVisible() && !listening.signal.aborted ? epochNow() : null
    if (running?.epoch === epoch) return
    running?.abort.abort()
    running = undefined
    if (epoch === null || epoch === refused) return
    const own = { abort: new AbortController(), epoch }
    running = own
    void holding(lock, own.abort.signal, () => stay(own.abort.signal, epoch)).finally(() => {
      if (running === own) running = undefined
    })
  }

  async function stay(signal: AbortSignal, epoch: Epoch): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const started = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- one stream after another
      const end = await stream(signal, epoch)
      if (end === 'never') refused = epoch
      if (end === 'never' || signal.aborted) return
      failures = performance.now() - started > good ? 0 : failures + 1
      const backOff = Math.min(rest.longest, rest.first * 2 ** failures) * (0.5 + Math.random() / 2)
      // oxlint-disable-next-line no-await-in-loop -- and a rest between them
      await pause(end === 'soon' ? backOff : Math.max(backOff, end.afterMilliseconds), signal)
    }
  }

  async function stream(signal: AbortSignal, epoch: Epoch): Promise<End> {
    const quiet = new AbortController()
    let timer = setTimeout(() => quiet.abort(), silence)
    const onSign = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => quiet.abort(), silence)
    }
    try {
      const { revision } = mirror.document
      const request = new Request(`${url}?since=${revision}&epoch=${epoch}`, {
        credentials: 'include',
        cache: 'no-store',
        redirect: 'error',
        headers: { accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, quiet.signal]),
      })
      const response = await fetch(request)
      if (!isStream(response)) return await afterRefusal(response)
      await readEvents(response.body ?? new ReadableStream(), {
        onSign,
        onTold: (told) => void (told.kind === 'at' ? onNews(told) : onDoubt()),
      })
    } catch {
      // No network, or the stream broke off, or nothing was heard for too long: all the same here.
    } finally {
      clearTimeout(timer)
    }
    return 'soon'
  }

  async function afterRefusal({ status, headers, body }: Response): Promise<End> {
    void body?.cancel().catch(() => undefined)
    if (status === 200 || never.includes(status)) return 'never'
    if (status === 401 || status === 409) await onDoubt()
    return { afterMilliseconds: Math.max(0, Number(headers.get('retry-after')) || 0) * 1000 }
  }

  const stopChanges = mirror.onChange((after, before) => {
    if (after.mirror !== before.mirror) look()
  })
  if (typeof document !== 'undefined') {
    const { signal } = listening
    document.addEventListener('visibilitychange', look, { signal })
    // A page in the back-forward cache must hold neither lock nor connection.
    addEventListener('pagehide', () => running?.abort.abort(), { signal })
    addEventListener('pageshow', look, { signal })
  }
  look()

  return {
    close() {
      stopChanges()
      listening.abort()
      look()
    },
  }
}

function isVisible(): boolean {
  return typeof document === 'undefined' || document.visibilityState === 'visible'
}

function isStream({ status, headers }: Response): boolean {
  return status === 200 && headers.get('content-type')?.startsWith('text/event-stream') === true
}

/** Runs `work` when it is this tab's turn; where there are no locks it is always. */
async function holding(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  if (locks === undefined) return work()
  await locks.request(name, { signal }, work).catch(() => undefined)
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}
