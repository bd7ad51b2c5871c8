// Frameworks as they are published, with the package as it is published: what they throw to answer keeps the changes and has
// the cookie. Only in the long run, because Next takes a third of a gigabyte.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test as base } from 'vitest'
import { buildScripts } from '../../scripts/build.ts'
import { client } from '../server/http.ts'
import { createWorld } from '../server/harness.ts'
import { isLong } from '../support/counts.ts'
import { freePort } from '../support/programs.ts'
import { until } from '../support/waiting.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(import.meta.dirname, 'next')
const post = { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' }, redirect: 'manual' } as const

const test = base
  .extend('installed', { scope: 'file' }, async () => {
    const installed = join(import.meta.dirname, 'node_modules/session-mirror')
    rmSync(installed, { recursive: true, force: true })
    mkdirSync(installed)
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    await buildScripts(join(installed, 'dist'))
    return installed
  })
  // `next build`, then `next start`, as from a shell.
  .extend('origin', { scope: 'file' }, async ({ installed: _installed }, { onCleanup }): Promise<string> => {
    const next = join(import.meta.dirname, 'node_modules/next/dist/bin/next')
    const { NODE_ENV: _, VITEST: __, ...rest } = process.env
    const env = { ...rest, NEXT_TELEMETRY_DISABLED: '1' }
    rmSync(join(folder, '.next'), { recursive: true, force: true })
    execFileSync(process.execPath, [next, 'build'], { cwd: folder, env, stdio: 'pipe' })
    const port = await freePort()
    const args = [next, 'start', '-H', '127.0.0.1', '-p', String(port)]
    const server: ChildProcess = spawn(process.execPath, args, { cwd: folder, env, stdio: 'ignore' })
    onCleanup(async () => {
      server.kill()
      await once(server, 'exit')
    })
    const origin = `http://127.0.0.1:${port}`
    await until('Next answers', () =>
      fetch(origin).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    return origin
  })

describe.runIf(isLong)('Next 16, route handlers of the app router', () => {
  const me = async (get: ReturnType<typeof client>['get']): Promise<unknown> => (await get('/api/me')).json()

  test('a sign-in that ends in redirect() keeps the session, and its 307 has the cookie', async ({
    origin,
  }) => {
    const { get, jar } = client(origin)
    const answer = await get('/api/sign-in', post)
    expect([answer.status, answer.headers.get('location'), answer.headers.get('cache-control')]).toEqual([
      307,
      '/',
      'no-store',
    ])
    expect(jar.cookie).toMatch(/^session=v1/)
    expect(await me(get)).toMatchObject({ owner: 'ada' })
  })

  test('a session that was saved before redirect() goes on', async ({ origin }) => {
    const { get } = client(origin)
    await get('/api/sign-in', post)
    expect((await get('/api/saved', post)).status).toBe(307)
    expect(await me(get)).toMatchObject({ owner: 'grace' })
  })

  test('notFound() keeps what was changed before it', async ({ origin }) => {
    const { get } = client(origin)
    await get('/api/sign-in', post)
    expect((await get('/api/gone', post)).status).toBe(404)
    expect(await me(get)).toEqual({ owner: 'ada', item: 'before it was gone' })
  })

  test('the handler is given the params of its route', async ({ origin }) => {
    const { get } = client(origin)
    await get('/api/sign-in', post)
    expect((await get('/items/42', post)).status).toBe(204)
    expect(await me(get)).toEqual({ owner: 'ada', item: '42' })
  })

  test('the session routes answer from a catch-all route', async ({ origin }) => {
    const { get } = client(origin)
    await get('/api/sign-in', post)
    expect(await (await get('/session')).json()).toMatchObject({ owner: 'ada' })
  })
})

interface ReactRouter {
  redirect(url: string): Response
  createStaticHandler(routes: readonly object[]): { queryRoute(request: Request): Promise<unknown> }
}

describe.runIf(isLong)('React Router 8, actions and loaders', () => {
  test('an action that throws redirect() keeps the sign-in, and the answer has the cookie', async () => {
    const { createStaticHandler, redirect } = createRequire(import.meta.url)('react-router') as ReactRouter
    const { sessions } = createWorld({ clock: Date.now })
    type Given = { readonly request: Request; readonly params: { readonly id?: string } }
    const signIn = sessions.route((_request, session, { params }: Given) => {
      session.signIn(`ada ${params.id}`)
      throw redirect('/')
    })
    const show = sessions.route((_request, session) => Response.json({ owner: session.owner }))
    const { queryRoute } = createStaticHandler([
      {
        path: '/in/:id',
        action: (given: Given) => signIn(given.request, given),
        loader: (given: Given) => show(given.request),
      },
    ])
    const url = 'http://localhost/in/7'
    const answer = (await queryRoute(new Request(url, post))) as Response
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/'])
    const [cookie = ''] = (answer.headers.getSetCookie()[0] ?? '').split(';')
    expect(cookie).toMatch(/^session=v1/)
    const shown = (await queryRoute(new Request(url, { headers: { cookie } }))) as Response
    expect(await shown.json()).toEqual({ owner: 'ada 7' })
  })
})
