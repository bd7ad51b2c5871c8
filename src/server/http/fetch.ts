// The core's answers as `Response`s, and the session's headers on the app's own.
import { type CoreAnswer, type Header } from './core-answer.ts'
import type { SessionProgress } from './progress.ts'
import { type HeaderAccess, addSessionHeaders, mergeHeader } from './session-headers.ts'

const fetchHeaders: HeaderAccess<Headers> = {
  get: (target, name) => target.get(name) ?? undefined,
  // A list of its own: a name that is set while the names are read could come again.
  names: (target) => [...target.keys()],
  set: (target, name, value) => target.set(name, value),
  appendCookie: (target, line) => target.append('set-cookie', line),
}

/** `answer` as a fetch handler returns it. */
export function toResponse({ status, headers: fields, body }: CoreAnswer): Response {
  const list = fields.map(([name, value]): [string, string] => [name, value])
  const isEmpty = status === 304 || status === 204
  const content = typeof body === 'string' ? body : toStream(body)
  return new Response(isEmpty ? null : content, { status, headers: list })
}

/** A copy of the app's `response` with what its session adds, and `cors`. */
export function withSession(
  response: Response,
  progress: SessionProgress,
  cors: readonly Header[],
): Response {
  const copy = new Response(response.body, response)
  for (const field of cors) mergeHeader(fetchHeaders, copy.headers, field)
  addSessionHeaders(fetchHeaders, copy.headers, progress)
  progress.beginAnswer()
  return copy
}

/** The response with `onEnd` called once, when its body has been read, was given up or has failed. */
export function withEnd(response: Response, onEnd: () => void): Response {
  if (response.body === null) return response
  const reader = response.body.getReader()
  // Without a queue: nothing is read ahead of whoever reads this.
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        onEnd()
      },
      async cancel(reason) {
        onEnd()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(stream, response)
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
