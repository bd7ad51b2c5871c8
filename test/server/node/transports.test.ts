// Whole and streamed answers that wait for the store, over every transport of Node, between wrappers of others: each
// arrives whole (RFC 9113, 8.1.1), or is visibly cut off.
import process from 'node:process'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, expect } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { type SessionRequest, sessionMiddleware } from '../../../src/node.ts'
import { type Schema, createWorld, watchStore } from '../harness.ts'
import type { ServerSession } from '../../../src/server.ts'
import type { Handler } from '../http.ts'
import { type TransportServer, transportTest, transports } from '../transports.ts'
import { type Wrapper, wrappers } from '../wrappers.ts'

interface Scene {
  readonly transport: string
  readonly handler: Handler
  /** Wraps the response before our middleware sees it. */
  readonly before?: Wrapper | undefined
  /** Wraps the response after our middleware. */
  readonly after?: Wrapper | undefined
}

interface Stage extends TransportServer {
  readonly store: ReturnType<typeof watchStore>
  readonly errors: unknown[]
}

const test = transportTest.extend<{ serve: (scene: Scene) => Promise<Stage> }>({
  serve: async ({ certificate }, use) => {
    const servers: TransportServer[] = []
    await use(async ({ transport, handler, before, after }) => {
      const store = watchStore(memoryStore())
      const { sessions } = createWorld({ store, clock: Date.now })
      const errors: unknown[] = []
      const middleware = sessionMiddleware(sessions, { onError: (error) => errors.push(error) })
      const server = await transports[transport]?.((request, response) => {
        before?.(response)
        void middleware(request, response, () => {
          after?.(response)
          void handler(request as SessionRequest<Schema>, response)
        })
      }, certificate)
      if (server === undefined) throw new Error(`There is no transport ${transport}.`)
      servers.push(server)
      return { ...server, store, errors }
    })
    for (const server of servers) await server.close()
  },
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const whole = 'the whole answer'

const answers: Readonly<Record<string, Handler>> = {
  'ended with a text': (_request, response) => response.end(whole),
  'ended with bytes and a callback': (_request, response) =>
    response.end(Buffer.from(whole), () => undefined),
  'with a head first': (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end(whole),
  'with its length': (_request, response) =>
    response.writeHead(200, 'Fine', { 'content-length': whole.length }).end(whole),
  'written in pieces': (_request, response) => {
    response.write('the ')
    response.write('whole ')
    response.end('answer')
  },
  'written over time': async (_request, response) => {
    response.write('the ')
    await turn()
    response.write('whole ')
    await turn()
    await turn()
    response.end('answer')
  },
  'flushed first': async (_request, response) => {
    response.flushHeaders()
    await turn()
    response.end(whole)
  },
  'from a pipe': (_request, response) => pipeline(Readable.from(['the ', 'whole ', 'answer']), response),
}
/** What the app does with the session before it answers, by the path that asks for it. */
const uses: Readonly<Record<string, (session: ServerSession<Schema>) => void>> = {
  '/changed': (session) => session.signIn('ada'),
  '/read': (session) => void session.owner,
  '/untouched': () => undefined,
}

const places = ['before', 'after', 'before and after'] as const
const between = ['HTTP/1.1', 'HTTP/2'].flatMap((transport) =>
  Object.keys(wrappers).flatMap((wrapper) => places.map((place) => ({ transport, wrapper, place }))),
)
const scenes = [
  ...Object.keys(transports).map((transport) => ({
    transport,
    wrapper: 'no wrapper',
    place: 'before' as const,
  })),
  ...between,
]

function around(wrapper: string, place: (typeof places)[number]): Pick<Scene, 'before' | 'after'> {
  const wrap = wrappers[wrapper]
  return { before: place === 'after' ? undefined : wrap, after: place === 'before' ? undefined : wrap }
}

describe.each(scenes)('$transport with $wrapper $place ours', ({ transport, wrapper, place }) => {
  test.for(Object.entries(answers))('an answer %s is whole', async ([, answer], { serve }) => {
    const stage = await serve({
      transport,
      ...around(wrapper, place),
      handler: async (request, response) => {
        uses[request.url ?? '']?.(request.session)
        await answer(request, response)
      },
    })
    for (const path of Object.keys(uses)) {
      const reply = await stage.send(path)
      expect([path, reply.status, reply.text, reply.cut]).toEqual([path, 200, whole, undefined])
      expect(reply.headers['set-cookie'] ?? []).toHaveLength(path === '/changed' ? 1 : 0)
    }
    expect(stage.errors).toEqual([])
  })

  test('a change that cannot be stored gives a whole problem, and nothing of the answer', async ({
    serve,
  }) => {
    const stage = await serve({
      transport,
      ...around(wrapper, place),
      handler: async ({ session }, response) => {
        session.signIn('ada')
        stage.store.broken = true
        response.write('the whole ')
        await turn()
        response.end('answer')
      },
    })
    const reply = await stage.send()
    expect([reply.status, reply.cut]).toEqual([503, undefined])
    expect(JSON.parse(reply.text)).toMatchObject({ code: 'store-unavailable' })
    expect(reply.headers['set-cookie']).toBe(undefined)
  })
})

describe.each(Object.keys(transports))('%s', (transport) => {
  test('a stream whose last change cannot be stored is cut off, and does not look whole', async ({
    serve,
  }) => {
    const stage = await serve({
      transport,
      handler: async ({ session }, response) => {
        response.write('begun ')
        await turn()
        session.set('theme', 'dark')
        response.end('ended')
      },
    })
    const reply = await stage.send()
    // 2 is INTERNAL_ERROR (RFC 9113, 7).
    expect(reply.cut).toBe(transport === 'HTTP/1.1' ? 'aborted' : 2)
    expect(stage.errors).toHaveLength(1)
  })

  test('what the app writes after its end is ignored, while it waits and afterwards', async ({ serve }) => {
    const done: unknown[] = []
    const stage = await serve({
      transport,
      handler: async ({ session }, response) => {
        session.increment('visits')
        response.end(whole)
        response.write(' and more')
        response.end(' and more')
        response.once('close', () => {
          response.write(' and more')
          response.end(' and more')
          done.push('closed')
        })
      },
    })
    expect((await stage.send()).text).toBe(whole)
    await expect.poll(() => done).toEqual(['closed'])
    expect(stage.errors).toEqual([])
  })
})

describe('warnings of Node', () => {
  const warnings: string[] = []
  const note = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`)
  afterEach(() => void process.off('warning', note))

  test.for(['HTTP/2', 'HTTP/2 over TLS'])(
    '%s has no status message, and nobody is warned of one',
    async (transport, { serve }) => {
      process.on('warning', note)
      const stage = await serve({
        transport,
        handler: ({ session, url }, response) => {
          session.increment('visits')
          if (url === '/broken') stage.store.broken = true
          response.writeHead(200, 'Fine').end(whole)
        },
      })
      expect((await stage.send()).text).toBe(whole)
      expect((await stage.send('/broken')).status).toBe(503)
      await turn()
      expect(warnings).toEqual([])
    },
  )
})
