// Hearing at once what other devices change: one visible tab holds the server's event stream, chosen by a Web Lock; the others
// learn from it as they learn from any tab. A stream only wakes: what is new comes by a pull, the one way in. All other ways to
// hear of a change work without it.
import type { Hint } from '../mirror/tabs/channel.ts'
import type { TabMirror } from '../mirror/tabs/tab-mirror.ts'
import type { Fetch } from '../mirror/wire/send.ts'
import type { Epoch } from '../protocol/state.ts'
import { holdStream } from './event-stream.ts'

export interface LiveEventsOptions {
  readonly mirror: TabMirror
  /** The whole url of the events route. */
  readonly url: string
  readonly fetch: Fetch
  /** The name of the lock of the tab that holds the stream. */
  readonly lock: string
  /** There is something newer. */
  readonly onNews: (hint: Hint) => void
  /** Something is wrong with the session or its cookie: only a pull knows. Awaited before the stream is opened again. */
  readonly onDoubt: () => Promise<unknown>
}

export interface LiveEvents {
  close(): void
}

/** Until the next try, doubled with each failure, with jitter. */
const firstRestMilliseconds = 1000
const longestRestMilliseconds = 60_000
/** A stream that lived for this long was a good one: the rests begin anew. */
const goodStreamMilliseconds = 30_000

export function createLiveEvents(options: LiveEventsOptions): LiveEvents {
  const { mirror, url, fetch, lock, onNews, onDoubt } = options
  const listening = new AbortController()
  let running: { readonly abort: AbortController; readonly epoch: Epoch } | undefined
  let refused: Epoch | undefined

  /** Starts, stops, or starts anew for another session. */
  function look(): void {
    const isWanted = isVisible() && !listening.signal.aborted && mirror.pendingSignOut === undefined
    const epoch = isWanted ? mirror.epoch : null
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
      const since = `${url}?since=${mirror.document.revision}&epoch=${epoch}`
      // oxlint-disable-next-line no-await-in-loop -- one stream after another
      const end = await holdStream(since, { signal, fetch, onNews, onDoubt })
      if (end.kind === 'refused') refused = epoch
      if (end.kind === 'refused' || signal.aborted) return
      failures = performance.now() - started > goodStreamMilliseconds ? 0 : failures + 1
      const rest = Math.min(longestRestMilliseconds, firstRestMilliseconds * 2 ** failures)
      // oxlint-disable-next-line no-await-in-loop -- and a rest between them
      await pause(Math.max(rest * (0.5 + Math.random() / 2), end.retryAfterMilliseconds), signal)
    }
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

/** Runs `work` when it is this tab's turn; where there are no locks it always is. */
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
