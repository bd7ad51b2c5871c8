// The requests of one pretend browser to the server core: its cookie goes with each, and what an answer sets is kept.
// A browser's `Response` would drop Set-Cookie, and Node's fetch keeps no cookies.
import { HttpResponse } from 'msw'
import { SessionError } from '../protocol/errors.ts'
import type { SessionSchema } from '../protocol/schema.ts'
import type { ServerSession } from '../server/app/server-session.ts'
import type { Sessions } from '../server/app/sessions.ts'
import { type CoreAnswer, problemAnswer } from '../server/http/core-answer.ts'
import { toStream } from '../server/http/fetch.ts'
import type { CoreRequest } from '../server/http/request.ts'
import { createJar } from './jar.ts'

/** A route of the app in a test. Changes of the session are saved before the answer is given. */
export type TestRoute<S extends SessionSchema> = (
  request: Request,
  session: ServerSession<S>,
) => Response | Promise<Response>

export class PretendBrowser<S extends SessionSchema> {
  readonly #sessions: Sessions<S>
  readonly #jar = createJar()
  /** The session routes that were called, oldest first: `POST /session/sync 200`. */
  readonly calls: string[] = []

  constructor(sessions: Sessions<S>) {
    this.#sessions = sessions
  }

  /** The answer of a session route; 404 for any other path. */
  async ask(request: Request): Promise<Response> {
    const core = toCore(request, this.#jar.header())
    const answer = await this.#sessions.handle(core)
    if (answer === undefined) return HttpResponse.json(null, { status: 404 })
    this.calls.push(`${request.method} ${core.url.split('?')[0]} ${answer.status}`)
    return this.#toResponse(answer)
  }

  /** The answer of a route of the app, with the session's headers. */
  async run(request: Request, route: TestRoute<S>): Promise<Response> {
    try {
      const session = await this.#sessions.load(toCore(request, this.#jar.header()))
      const response = await route(request, session)
      await session.save()
      const fields = new Headers(response.headers)
      const own = this.#keepCookies(this.#sessions.progress(session).headers())
      for (const [name, value] of own) fields.set(name, value)
      return new HttpResponse(response.body, { status: response.status, headers: fields })
    } catch (error) {
      if (error instanceof SessionError) return this.#toResponse(problemAnswer(error))
      throw error
    }
  }

  clearCookies(): void {
    this.#jar.clear()
  }

  #toResponse({ status, headers, body }: CoreAnswer): Response {
    const fields = this.#keepCookies(headers).map(([name, value]): [string, string] => [name, value])
    const content = typeof body === 'string' ? body : toStream(body)
    const isEmpty = status === 304 || status === 204
    return new HttpResponse(isEmpty ? null : content, { status, headers: fields })
  }

  #keepCookies(headers: CoreAnswer['headers']): CoreAnswer['headers'] {
    for (const [name, value] of headers) if (name.toLowerCase() === 'set-cookie') this.#jar.take(value)
    return headers.filter(([name]) => name.toLowerCase() !== 'set-cookie')
  }
}

function toCore(request: Request, cookie: string | undefined): CoreRequest {
  const { pathname, search, host, protocol } = new URL(request.url)
  return {
    method: request.method,
    url: pathname + search,
    secure: protocol === 'https:',
    host,
    header: (name) =>
      name === 'cookie' ? (request.headers.get(name) ?? cookie) : (request.headers.get(name) ?? undefined),
    body: () => request.text(),
  }
}
