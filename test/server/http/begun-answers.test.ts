// What is changed when the head of the answer is gone: nothing is promised that would need a cookie, and nothing is lost
// without a word.
import { describe, expect, test as base } from 'vitest'
import fastify from 'fastify'
import { cookieStore } from '../../../src/cookie.ts'
import { sessionPlugin } from '../../../src/fastify.ts'
import { memoryStore } from '../../../src/memory.ts'
import { sessionMiddleware, type SessionRequest } from '../../../src/node.ts'
import type { ServerSession, Sessions, Store } from '../../../src/server.ts'
import { type Schema, createWorld, secrets, schema, watchStore } from '../harness.ts'
import { createSessions } from '../../../src/server.ts'
import { client, listen } from '../http.ts'

type Session = ServerSession<Schema>

/** Sends the head and a first piece, then lets `late` work, and ends. */
type Door = (sessions: Sessions<Schema>, late: (session: Session) => Promise<void>) => Promise<string>

const doors: Readonly<Record<string, Door>> = {
  'node:http': (sessions, late) => {
    const middleware = sessionMiddleware(sessions)
    return listen((request, response) => {
      void middleware(request, response, () => {
        response.flushHeaders()
        response.write('first')
        void late((request as SessionRequest<Schema>).session).then(() => response.end('last'))
      })
    })
  },
  Fastify: async (sessions, late) => {
    const server = fastify()
    await server.register(sessionPlugin(sessions))
    server.post('/', (request, reply) => {
      const { session } = request as unknown as { session: Session }
      reply.hijack()
      reply.raw.writeHead(200).write('first')
      void late(session).then(() => reply.raw.end('last'))
    })
    await server.ready()
    return listen((request, response) => server.routing(request, response))
  },
  'sessions.route': (sessions, late) => {
    const handle = sessions.route((_request, session) => {
      const encoder = new TextEncoder()
      return new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(encoder.encode('first'))
            // Not before the answer was made.
            await new Promise((resolve) => setTimeout(resolve, 0))
            await late(session)
            controller.enqueue(encoder.encode('last'))
            controller.close()
          },
        }),
      )
    })
    return listen((incoming, outgoing) => {
      const request = new Request(`http://${incoming.headers.host}/`, {
        method: incoming.method ?? 'GET',
        headers: incoming.headers as Record<string, string>,
      })
      void handle(request).then(async (answer) => {
        outgoing.writeHead(answer.status, [...answer.headers].flat())
        for await (const piece of answer.body ?? []) outgoing.write(piece)
        outgoing.end()
      })
    })
  },
}

const post = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } }

const wishes: Readonly<Record<string, (session: Session) => void>> = {
  'a sign-in': (session) => session.signIn('alice'),
  'a first change': (session) => session.set('theme', 'dark'),
  'an end and a new beginning': (session) => {
    session.destroy()
    session.set('theme', 'dark')
  },
}

const test = base.extend<{ store: ReturnType<typeof watchStore> }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its pattern
  store: async ({}, use) => use(watchStore(memoryStore())),
})

const worldOf = (store: Store) => createWorld({ store, clock: Date.now }).sessions

describe.each(Object.entries(doors))('%s', (_name, door) => {
  test.for(Object.entries(wishes))(
    'save rejects what needs a cookie, before anything is stored: %s',
    async ([, wish], { store }) => {
      const seen: unknown[] = []
      const origin = await door(worldOf(store), async (session) => {
        wish(session)
        await session.save().catch((error: unknown) => seen.push(error))
      })
      const answer = await client(origin).get('/', post)
      expect([await answer.text(), answer.headers.getSetCookie()]).toEqual(['firstlast', []])
      expect(seen).toEqual([expect.objectContaining({ code: 'answer-begun' })])
      expect(store.calls.filter((call) => call !== 'read')).toEqual([])
    },
  )

  test('a new id is refused, and the session goes on under the old one', async ({ store }) => {
    const sessions = worldOf(store)
    const { origin, jar } = await signedIn(sessions, door, async (session) => {
      session.regenerate()
      await expect(session.save()).rejects.toThrow(expect.objectContaining({ code: 'answer-begun' }))
    })
    const { get, jar: own } = client(origin)
    own.cookie = jar.cookie
    expect(await (await get('/', post)).text()).toBe('firstlast')
    expect(await sessions.list('alice')).toHaveLength(1)
  })

  test('a change of a session that is there, and its end, are stored', async ({ store }) => {
    const sessions = worldOf(store)
    const { origin, jar } = await signedIn(sessions, door, async (session) => {
      session.increment('visits')
      expect(await session.save()).toMatchObject({ changed: ['visits'] })
      session.destroy()
      await session.save()
    })
    const { get, jar: own } = client(origin)
    own.cookie = jar.cookie
    expect(await (await get('/', post)).text()).toBe('firstlast')
    expect(await sessions.list('alice')).toEqual([])
  })

  test('a session that is kept in the cookie can be neither changed nor ended', async () => {
    const sessions = createSessions({ schema, secrets, store: cookieStore() })
    const codes: unknown[] = []
    const late = async (session: Session): Promise<void> => {
      for (const wish of [() => session.increment('visits'), () => session.destroy()]) {
        wish()
        await session.save().catch((error: { code: string }) => codes.push(error.code))
        session.revert()
      }
    }
    const { origin, jar } = await signedIn(sessions, door, late)
    const { get, jar: own } = client(origin)
    own.cookie = jar.cookie
    expect(await (await get('/', post)).text()).toBe('firstlast')
    expect(codes).toEqual(['answer-begun', 'answer-begun'])
  })
})

/** A cookie of alice, and the door of the test. */
async function signedIn(sessions: Sessions<Schema>, door: Door, late: (session: Session) => Promise<void>) {
  const handle = sessions.route((_request, session) => {
    session.signIn('alice')
    return new Response()
  })
  const answer = await handle(new Request('http://127.0.0.1/', post))
  const [line = ''] = answer.headers.getSetCookie()
  return { origin: await door(sessions, late), jar: { cookie: line.split(';')[0] ?? '' } }
}

describe('a stream of sessions.route', () => {
  async function streamed(
    change: (session: Session) => unknown,
    whose: 'route' | 'sessions' = 'route',
  ): Promise<unknown[]> {
    const told: unknown[] = []
    const onError = (error: unknown): void => void told.push(error)
    const { sessions } = createWorld({ clock: Date.now, ...(whose === 'sessions' ? { onError } : {}) })
    const handle = sessions.route(
      (_request, session) =>
        new Response(
          new ReadableStream(
            {
              async pull(controller) {
                await change(session)
                controller.enqueue(new TextEncoder().encode('all'))
                controller.close()
              },
            },
            { highWaterMark: 0 },
          ),
        ),
      whose === 'route' ? { onError } : {},
    )
    const answer = await handle(new Request('http://localhost/', post))
    expect(await answer.text()).toBe('all')
    await new Promise((resolve) => setTimeout(resolve, 5))
    return told
  }

  test('a stream tells onError of a change that nobody saves', async () => {
    const late = [expect.objectContaining({ code: 'answer-begun' })]
    expect(await streamed((session) => session.set('theme', 'dark'))).toEqual(late)
    expect(await streamed((session) => session.signIn('alice'))).toEqual(late)
  })

  test('a stream tells the onError of the sessions where the route has none', async () => {
    const late = [expect.objectContaining({ code: 'answer-begun' })]
    expect(await streamed((session) => session.set('theme', 'dark'), 'sessions')).toEqual(late)
    expect(await streamed((session) => session.owner, 'sessions')).toEqual([])
  })

  test('a stream tells nothing where nothing is lost', async () => {
    expect(await streamed((session) => session.owner)).toEqual([])
    expect(
      await streamed((session) => {
        session.set('theme', 'dark')
        session.revert()
      }),
    ).toEqual([])
    // Whoever saved was told by the rejection.
    expect(
      await streamed((session) => {
        session.set('theme', 'dark')
        return session.save().catch(() => undefined)
      }),
    ).toEqual([])
  })
})

test('an answer waits for a save that the app does not wait for, also without autoSave', async () => {
  const { sessions } = createWorld({ clock: Date.now, autoSave: false })
  const middleware = sessionMiddleware(sessions)
  const origin = await listen((request, response) => {
    void middleware(request, response, () => {
      const { session } = request as SessionRequest<Schema>
      session.signIn('alice')
      void session.save()
      response.end('all')
    })
  })
  expect((await client(origin).get('/', post)).headers.getSetCookie()).toHaveLength(1)
})
