// Reads our server's event stream (HTML standard, "Server-sent events") over fetch: an EventSource does not say why it was
// refused, and would ask an old or a busy server again and again.
import { type Epoch, isEpoch } from '../protocol/state.ts'

/** What one event says: where the session is by now, or that it is over. */
export type Told =
  | { readonly kind: 'at'; readonly epoch: Epoch; readonly revision: number }
  | { readonly kind: 'ended' }

/** More than one of our events ever has: somebody else's stream. */
const maxEventLength = 2_000_000

/**
 * Calls `onTold` for each event, and `onSign` for whatever arrives, until the stream ends. Throws what the reader throws.
 */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  { onTold, onSign }: { readonly onTold: (told: Told) => void; readonly onSign: () => void },
): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a stream is one after another
    const { done, value } = await reader.read()
    if (done) return
    onSign()
    text += decoder.decode(value, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    if (text.length > maxEventLength) return void reader.cancel()
    for (const event of events) {
      const told = parseEvent(event)
      if (told !== undefined) onTold(told)
    }
  }
}

function parseEvent(event: string): Told | undefined {
  if (/^event: ended$/m.test(event)) return { kind: 'ended' }
  const [, epoch, revision] = /^id: ([\w-]+)\.(\d{1,15})$/m.exec(event) ?? []
  return isEpoch(epoch) ? { kind: 'at', epoch, revision: Number(revision) } : undefined
}
