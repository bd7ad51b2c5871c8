// One server process: the real session core over the shared store, and an app with a few routes. It can be killed
// and comes back with an empty memory.
import { nodeCrypto } from '../../src/server/node/node-crypto.ts'
import { createCoreSessions } from '../../src/server/app/create-core-sessions.ts'
import type { Sessions } from '../../src/server/app/sessions.ts'
import type { CoreRequest } from '../../src/server/http/request.ts'
import { type Header, problemAnswer } from '../../src/server/http/core-answer.ts'
import type { ServerSession } from '../../src/server/app/server-session.ts'
import { SessionError } from '../../src/protocol/errors.ts'
import type { Store } from '../../src/stores/store.ts'
import type { Chance } from './chance.ts'
import { beginning } from './globals.ts'
import { type ServerSchema, serverSchema, word } from './schema.ts'
import type { Context, Scheduler } from './scheduler.ts'

export interface Wire {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly cookie: string | undefined
  readonly body: string | undefined
}
export interface Answer {
  readonly status: number
  readonly headers: readonly Header[]
  readonly body: string
}

export interface Times {
  readonly idleTimeoutSeconds: number
  readonly absoluteTimeoutSeconds: number
  readonly freshSeconds: number
  readonly rotateSeconds: number
  readonly rotateGraceSeconds: number
}

export interface Server {
  readonly context: Context
  readonly sessions: Sessions<ServerSchema>
  /** Must run in a task of `context`. */
  handle(wire: Wire): Promise<Answer>
}

export interface ServerTools {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly store: Store
  readonly times: Times
  /** Of a batch's text. */
  readonly hash: (text: string) => string
  /** The app has stored a word, and knows that it has. */
  readonly onLogged: (epoch: string | null, text: string) => void
  readonly nextWrite: () => number
}

export function startServer(name: string, tools: ServerTools): Server {
  const { scheduler, chance, store, times, hash } = tools
  const context: Context = { name, realm: undefined, isAlive: true, stalledUntil: 0 }
  const sessions = createCoreSessions<ServerSchema>({
    schema: serverSchema,
    secrets: ['a secret of the simulation, known to everybody'],
    store,
    crypto: {
      ...nodeCrypto,
      hash,
      randomBytes(length) {
        const bytes = new Uint8Array(length)
        chance.bytes(bytes)
        return bytes
      },
    },
    clock: () => Math.floor(beginning + scheduler.now),
    cookie: { secure: false },
    // The store fails on purpose, in many stories.
    onError: () => undefined,
    ...times,
  })

  async function handle(wire: Wire): Promise<Answer> {
    const request = toCore(wire)
    const ours = await sessions.handle(request)
    if (ours !== undefined) return { ...ours, body: typeof ours.body === 'string' ? ours.body : '' } // Nobody asks for events.
    try {
      const session = await sessions.load(request)
      const body = await runApp(session, wire, tools)
      const progress = sessions.progress(session)
      if (!progress.hasFailed) await progress.finish()
      return { status: 200, headers: progress.headers(), body: JSON.stringify(body) }
    } catch (error) {
      if (!(error instanceof SessionError)) throw error
      const { status, headers, body } = problemAnswer(error)
      return { status, headers, body: typeof body === 'string' ? body : '' }
    }
  }

  return { context, sessions, handle }
}

async function runApp(
  session: ServerSession<ServerSchema>,
  { url, body }: Wire,
  { onLogged, nextWrite }: ServerTools,
): Promise<unknown> {
  const text = word(session.owner, nextWrite())
  if (url === '/api/sign-in') {
    const owner = body ?? ''
    session.signIn(owner)
    session.set('user', word(owner, nextWrite()))
    session.set('secret', 'hidden#1')
  } else if (url === '/api/log') {
    session.update('log', (log) => [...log, text])
    await session.save()
    onLogged(session.epoch, text)
  } else if (url === '/api/regenerate') session.regenerate()
  else if (url === '/api/sign-out') session.destroy({ everywhere: body === 'everywhere' })
  return url === '/api/whole' ? { owner: session.owner, keys: session.toJSON() } : session.toJSON()
}

function toCore({ method, url, headers, cookie, body }: Wire): CoreRequest {
  return {
    method,
    url,
    secure: false,
    host: 'localhost',
    header: (name) => (name === 'cookie' ? cookie : (headers.get(name) ?? undefined)),
    body: async () => body ?? '',
  }
}
