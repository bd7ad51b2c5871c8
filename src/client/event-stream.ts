// One event stream of our server (HTML standard, "Server-sent events"), read over fetch: an EventSource does not say why it was
// refused, and would ask an old or a busy server again and again.
import type { Hint } from '../mirror/tabs/channel.ts'
import { retryAfterSeconds } from '../mirror/wire/retry-after.ts'
import type { Fetch } from '../mirror/wire/send.ts'
import { isEpoch } from '../protocol/state.ts'

/** How a stream ended: to be opened again after a rest, or not for this session. */
export type StreamEnd =
  | { readonly kind: 'broken'; readonly retryAfterMilliseconds: number }
  | { readonly kind: 'refused' }

export interface StreamOptions {
  /** Ends the stream. */
  readonly signal: AbortSignal
  readonly fetch: Fetch
  /** An event says where the session is by now. */
  readonly onNews: (hint: Hint) => unknown
  /** The session is over, or its cookie was refused. Awaited after a refusal. */
  readonly onDoubt: () => Promise<unknown>
}

/** The server gives a sign of life every 25 seconds. Without one for this long something in between holds it back. */
const silenceMilliseconds = 60_000
/** No such route, or no way to tell: an older server, or one that keeps sessions in the cookie. */
const finalStatuses: readonly number[] = [200, 204, 404, 405, 501]
/** Longer than any of our events ever is: somebody else's stream. */
const maxEventCharacters = 2_000_000

/** Opens the stream at `url` and listens until it ends. Never rejects. */
export async function holdStream(url: string, options: StreamOptions): Promise<StreamEnd> {
  const { signal, fetch, onNews, onDoubt } = options
  // By hand: `AbortSignal.any` is younger than the oldest engines that are supported.
  const ending = new AbortController()
  const end = (): void => ending.abort()
  if (signal.aborted) end()
  else signal.addEventListener('abort', end)
  let timer: ReturnType<typeof setTimeout> | undefined
  const onSign = (): void => {
    clearTimeout(timer)
    timer = setTimeout(end, silenceMilliseconds)
  }
  onSign()
  try {
    const request = new Request(url, {
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      headers: { accept: 'text/event-stream' },
      signal: ending.signal,
    })
    const response = await fetch(request)
    if (!isStream(response)) return await afterRefusal(response, onDoubt)
    const onEvent = (event: string): void => {
      if (/^event: ended$/m.test(event)) return void onDoubt()
      const [, epoch, revision] = /^id: ([\w-]+)\.(\d{1,15})$/m.exec(event) ?? []
      if (isEpoch(epoch)) onNews({ epoch, revision: Number(revision) })
    }
    await readEvents(response.body ?? new ReadableStream(), onEvent, onSign)
  } catch {
    // No network, or the stream broke off, or nothing was heard for too long: all the same here.
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
  return { kind: 'broken', retryAfterMilliseconds: 0 }
}

async function afterRefusal(
  { status, headers, body }: Response,
  onDoubt: StreamOptions['onDoubt'],
): Promise<StreamEnd> {
  void body?.cancel().catch(() => undefined)
  if (finalStatuses.includes(status)) return { kind: 'refused' }
  if (status === 401 || status === 409) await onDoubt()
  return { kind: 'broken', retryAfterMilliseconds: retryAfterSeconds(headers) * 1000 }
}

function isStream({ status, headers }: Response): boolean {
  return status === 200 && headers.get('content-type')?.startsWith('text/event-stream') === true
}

/** Calls `onEvent` for each event, and `onSign` for whatever arrives, until the stream ends. */
async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: string) => void,
  onSign: () => void,
): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- the next piece of a stream comes only after this one was read
    const { done, value } = await reader.read()
    if (done) return
    onSign()
    text += decoder.decode(value, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    if (text.length > maxEventCharacters) return void reader.cancel()
    for (const event of events) onEvent(event)
  }
}
