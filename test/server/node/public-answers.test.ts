// Answers of the app that are meant for shared caches: they depend on no session, or they are cut off.
import { describe, expect, test } from 'vitest'
import { start } from '../http.ts'

describe('an answer that everybody may have', () => {
  test('a public answer is cut off when the session is read after it has begun', async () => {
    const app = await start((request, response) => {
      if (request.url === '/in') request.session.signIn('alice')
      else {
        response.setHeader('cache-control', 'public, max-age=60')
        response.write('Hello ')
      }
      response.end(request.url === '/late' ? request.session.owner : 'all')
    })
    await app.get('/in')
    expect(await (await app.get('/early')).text()).toBe('Hello all')
    await expect(app.get('/late').then((response) => response.text())).rejects.toThrow()
  })

  test('a private answer is nobody else’s when a CDN has a header of its own', async () => {
    const app = await start((request, response) => {
      response.setHeader('cdn-cache-control', 'max-age=600')
      response.setHeader('surrogate-control', 'max-age=600')
      response.end(request.url === '/me' ? String(request.session.owner) : 'all')
    })
    const [mine, all] = [await app.get('/me'), await app.get('/all')]
    const read = (response: Response) =>
      ['cache-control', 'cdn-cache-control', 'surrogate-control'].map((name) => response.headers.get(name))
    expect(read(mine)).toEqual(['no-store', 'no-store', 'no-store'])
    expect(read(all)).toEqual([null, 'max-age=600', 'max-age=600'])
  })
})
