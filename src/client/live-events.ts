// Hearing at once what other devices change: one visible tab holds the server's event stream, chosen by a Web Lock; the others
// learn from it as they learn from any tab. A stream only wakes: what is new comes by a pull, the one way in. All other ways to
// hear of a change work without it.
import type { Hint } from '../mirror/tabs/channel.ts'
import { webLocks } from '../mirror/tabs/lock.ts'
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
  readonly onNews: (hint: Hint) => unknown
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
  /** By `performance.now()`: until then the server wants to be left alone, whoever comes back to the page. */
  let restsUntil = 0

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
      const rests = restsUntil - performance.now()
      // oxlint-disable-next-line no-await-in-loop -- the server has asked for this rest before the next stream
      if (rests > 0) await pause(rests, signal)
      if (signal.aborted) return
      const started = performance.now()
      const since = `${url}?since=${mirror.document.revision}&epoch=${epoch}`
      // oxlint-disable-next-line no-await-in-loop -- the next stream begins where this one has ended
      const end = await holdStream(since, { signal, fetch, onNews, onDoubt })
      if (end.kind === 'refused') {
        refused = epoch
        return
      }
      restsUntil = performance.now() + end.retryAfterMilliseconds
      if (signal.aborted) return
      failures = performance.now() - started > goodStreamMilliseconds ? 0 : failures + 1
      const rest = Math.min(longestRestMilliseconds, firstRestMilliseconds * 2 ** failures)
      // oxlint-disable-next-line no-await-in-loop -- a stream that ended is not opened again at once
      await pause(rest * (0.5 + Math.random() / 2), signal)
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
  const locks = webLocks()
  if (locks === undefined) return work()
  await locks.request(name, { signal }, work).catch(() => undefined)
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
  })
}
