// The core's answers as `Response`s, and the session's headers on the app's own.
import type { SessionProgress } from './progress.ts'
import { type CoreAnswer, type Header, appHeaders, mergeVary } from './respond.ts'

export function toResponse({ status, headers: fields, body }: CoreAnswer): Response {
  const list = fields.map(([name, value]): [string, string] => [name, value])
  const isEmpty = status === 304 || status === 204
  const content = typeof body === 'string' ? body : toStream(body)
  return new Response(isEmpty ? null : content, { status, headers: list })
}

/** A copy of the app's `response` with what its session adds. */
export function withSession(
  response: Response,
  progress: SessionProgress,
  cors: readonly Header[],
): Response {
  const merged = new Response(response.body, response)
  const { headers: fields } = merged
  const current = (name: string): string | undefined => fields.get(name) ?? undefined
  for (const [name, value] of [...cors, ...appHeaders(progress, current)]) {
    if (name === 'set-cookie') fields.append(name, value)
    else if (name === 'vary') fields.set(name, mergeVary(current(name), value))
    else fields.set(name, value)
  }
  return merged
}

/** Pulled by whoever reads it, so that a slow reader is never sent more than it takes. */
export function toStream(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
