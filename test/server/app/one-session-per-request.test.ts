// One request has one session, whoever asks for it.
import express from 'express'
import { describe, expect, test } from 'vitest'
import { sessionMiddleware } from '../../../src/node.ts'
import { createWorld } from '../harness.ts'
import { client, listen } from '../http.ts'

describe('one request', () => {
  test('one request has one session, whoever asks for it', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const app = express()
    app.use(sessionMiddleware(sessions))
    app.get('/', (request, response) => {
      void sessions.load(request).then((mine) => {
        mine.set('theme', 'dark')
        response.json((request as unknown as { session: typeof mine }).session.get('theme'))
      })
    })
    const { get } = client(await listen(app))
    const answer = await get()
    expect([await answer.json(), answer.headers.getSetCookie().length]).toEqual(['dark', 1])
  })

  test('one request passes the middleware once, wherever that is mounted', async () => {
    const { sessions } = createWorld({ clock: Date.now })
    const middleware = sessionMiddleware(sessions)
    const app = express()
    app.use(middleware)
    app.use('/inner', middleware, (request, response) => {
      ;(request as unknown as { session: { set(key: string, value: string): void } }).session.set(
        'theme',
        'dark',
      )
      response.end()
    })
    const answer = await client(await listen(app)).get('/inner')
    expect(answer.headers.getSetCookie()).toHaveLength(1)
  })
})
