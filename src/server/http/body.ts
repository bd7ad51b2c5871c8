// The body of a request as text: bounded in bytes and in time, and exactly what was sent.
import { SessionError } from '../../protocol/errors.ts'
import { errorTable } from '../../protocol/error-table.ts'
import * as limits from '../../protocol/limits.ts'

/** The pieces of a body, as an async iterator and as a reader of a stream give them. */
export interface BodyChunks {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array | undefined }>
}

/**
 * Reads a whole body.
 * @param declaredLength the Content-Length header: a body that says it is too large is not read at all
 * @throws SessionError `too-large` above 320 KiB, without reading on; `malformed` when it is not UTF-8, breaks off, or
 * takes longer than 10 seconds
 */
export async function readBody(chunks: BodyChunks, declaredLength: string | undefined): Promise<string> {
  if (Number(declaredLength) > limits.bodyBytes) throw tooLarge()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `The body did not arrive within ${limits.bodySeconds} seconds. Send it again.`
    timer = setTimeout(reject, limits.bodySeconds * 1000, new SessionError('malformed', message))
  })
  try {
    return await collect({ next: () => Promise.race([chunks.next(), late]) })
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What a body parser that ran before us has made of the body, as the text that it says: bytes, a text or parsed JSON.
 * Undefined for what holds nothing, such as the empty object of a parser that had nothing to do.
 * @throws SessionError `unreadable-body` for what is no message of ours any more; `too-large`
 */
export function parsedBody(body: unknown): string | undefined {
  if (typeof body !== 'string' && (typeof body !== 'object' || body === null)) return undefined
  const text = typeof body === 'string' ? body : textOf(body)
  if (text === '' || text === '{}') return undefined
  if (text.length > limits.bodyBytes) throw tooLarge()
  if (!isMessage(text)) throw unreadableBody()
  return text
}

function textOf(body: object): string {
  if (body instanceof ArrayBuffer) return new TextDecoder().decode(body)
  return ArrayBuffer.isView(body) ? new TextDecoder().decode(body) : JSON.stringify(body)
}

/** Whether a parser has left what a browser sends: an object with an epoch, and a batch that is JSON as well. */
function isMessage(text: string): boolean {
  try {
    const { epoch, batch = '{}' } = JSON.parse(text) as { readonly epoch?: unknown; readonly batch?: unknown } // Members are checked here.
    if (epoch === undefined || typeof batch !== 'string') return false
    return typeof JSON.parse(batch) === 'object'
  } catch {
    return false // Not JSON: encoded, escaped or cut by whatever read it.
  }
}

/** The chunks of a fetch body. Not by iterating, which Safari's streams do not know. */
export function chunksOf(body: ReadableStream<Uint8Array> | null): BodyChunks {
  if (body === null) return { next: async () => ({ done: true }) }
  const reader = body.getReader()
  return { next: () => reader.read() }
}

/** The body was taken before us, and nothing of it is left. */
export function unreadableBody(): SessionError {
  return new SessionError('unreadable-body', errorTable['unreadable-body'].title)
}

async function collect(chunks: BodyChunks): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let bytes = 0
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- a stream is read piece after piece
      const { done, value } = await chunks.next()
      if (done === true || value === undefined) return text + decoder.decode()
      bytes += value.byteLength
      if (bytes > limits.bodyBytes) throw tooLarge()
      text += decoder.decode(value, { stream: true })
    }
  } catch (cause) {
    if (cause instanceof SessionError) throw cause
    const message = 'The body broke off, or is not UTF-8. Send it again, as UTF-8.'
    throw new SessionError('malformed', message, { cause })
  }
}

function tooLarge(): SessionError {
  const message = `The body is larger than the ${limits.bodyBytes} bytes that a session route reads. Send less at once.`
  return new SessionError('too-large', message)
}
