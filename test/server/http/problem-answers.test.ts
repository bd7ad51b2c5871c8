// What every error looks like as an answer: RFC 9457 for the body, RFC 9110 for status and headers; and that nothing of the
// app's own mistakes is in it.
import { STATUS_CODES } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../src/memory.ts'
import { SessionError, errorTable, problemAnswer } from '../../../src/server.ts'
import { type AdapterServer, type App, adapters } from '../adapters.ts'
import { createWorld } from '../harness.ts'
import { client } from '../http.ts'

const sesame = 'sesame-of-a-hidden-key'
const codes = Object.keys(errorTable) as (keyof typeof errorTable)[]

describe('a problem answer', () => {
  test.each(codes)('of the code %s has the title and the headers of its status', (code) => {
    const { status, headers, body } = problemAnswer(new SessionError(code, `A sentence with ${sesame}.`))
    const fields = Object.fromEntries(headers)
    const problem = JSON.parse(String(body)) as Record<string, unknown>
    expect(problem).toMatchObject({ type: 'about:blank', title: phraseOf(status), status, code })
    expect(fields['content-type']).toBe('application/problem+json')
    expect(fields['www-authenticate']).toBe(status === 401 ? `Session error="${code}"` : undefined)
    expect('retry-after' in fields).toBe(status === 503)
    // The app's own mistake: the sentence may hold a hidden value.
    if (errorTable[code].status === 0)
      expect([status, problem['detail']]).toEqual([500, errorTable[code].title])
    else expect(problem['detail']).toBe(`A sentence with ${sesame}.`)
  })

  /** Node still calls 413 by its old name (RFC 9110, 15.5.14). */
  function phraseOf(status: number): string | undefined {
    return status === 413 ? 'Content Too Large' : STATUS_CODES[status]
  }
})

interface Stage extends ReturnType<typeof client> {
  /** Milliseconds by which the clock is ahead. */
  readonly time: { passed: number }
  readonly onError: ReturnType<typeof vi.fn<(error: SessionError) => void>>
}

const served = test.extend<{ serve: (adapter: string, app: App) => Promise<Stage> }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its pattern
  serve: async ({}, use) => {
    const servers: AdapterServer[] = []
    await use(async (adapter, app) => {
      const onError = vi.fn<(error: SessionError) => void>()
      const time = { passed: 0 }
      const { sessions } = createWorld({
        store: memoryStore(),
        clock: () => Date.now() + time.passed,
        onError,
      })
      const server = await adapters[adapter]?.(sessions, app)
      if (server === undefined) throw new Error(`There is no adapter ${adapter}.`)
      servers.push(server)
      return { ...client(server.origin), onError, time }
    })
    for (const server of servers) await server.close()
  },
})

const own = { 'sec-fetch-site': 'same-origin', 'session-mirror': '1' }

const app: App = (path, session) => {
  if (path === '/in') session.signIn('alice')
  if (path === '/mistake') throw new SessionError('invalid', `"${sesame}" is too long.`)
  if (path === '/wrong') session.set('nothing' as 'theme', sesame)
  return {}
}

/** Adapters whose framework, or whose app, makes the answer to what a handler throws, and has the error to log. */
const answersForItself = ['node:http', 'Hono', 'h3', 'React Router']

describe.each(Object.keys(adapters))('%s', (adapter) => {
  served('a stale cookie is answered 401 with a challenge', async ({ serve }) => {
    const { get, time } = await serve(adapter, app)
    await get('/in', { method: 'POST', headers: own })
    time.passed = 16 * 60_000
    const answer = await get('/me', { headers: own })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Session error="stale"'])
  })

  served.for(['/mistake', '/wrong'])(
    'a mistake of the app is told to onError, and its answer shows nothing of the value: %s',
    async (path, { serve }) => {
      const { get, onError } = await serve(adapter, app)
      const answer = await get(path, { method: 'POST', headers: own })
      const text = await answer.text()
      expect(answer.status).toBe(500)
      expect(text).not.toContain(sesame)
      if (answersForItself.includes(adapter)) return
      expect(JSON.parse(text)).toMatchObject({ title: 'Internal Server Error', status: 500 })
      expect(onError).toHaveBeenCalledTimes(1)
      if (path === '/mistake') expect(String(onError.mock.calls[0]?.[0])).toContain(sesame)
    },
  )
})
