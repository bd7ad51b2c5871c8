// Real Chromium, real server, real memcached: the service worker, the end of cookies, and other sites.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright'
import { describe, expect } from 'vitest'
import { counts } from '../support/counts.ts'
import { sleep, until } from '../support/waiting.ts'
import type { App } from './app.ts'
import { longFreshSeconds, openPage, outliveCookie, setTimes, stopWorkers } from './browser.ts'
import { memcachedTest as test } from './fixtures.ts'

// Every refresh rotates the id: what a lost answer may cost shows only then.
test.override('appOptions', { freshSeconds: longFreshSeconds, rotateSeconds: 1 })

const refreshes = (app: App): number => app.count('POST', '/session/refresh')
const fetchMany = (page: Page, count: number): Promise<{ status: number; owner: string | null }[]> =>
  page.evaluate(async (many) => {
    const responses = await Promise.all(Array.from({ length: many }, () => fetch('/api/me')))
    return Promise.all(
      responses.map(async (response) => ({ status: response.status, owner: (await response.json()).owner })),
    )
  }, count)

describe('a cookie at its end', () => {
  test('a plain fetch at a stale cookie gets 200 after one refresh', async ({ app, signIn }) => {
    const page = await signIn()
    await outliveCookie(app, page)
    const before = refreshes(app)
    expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'ada' }])
    expect(refreshes(app) - before).toBe(1)
  })

  test('twenty requests at once in each of three tabs at a stale cookie get 200 after one refresh', async ({
    app,
    context,
    signIn,
  }) => {
    const opened = await Promise.all([1, 2].map(() => openPage(context, app.origin)))
    const first = await signIn()
    for (const page of opened) await page.waitForFunction(() => window.session.owner === 'ada')
    await outliveCookie(app, first, ...opened)
    const pages = [first, ...opened]
    const before = refreshes(app)
    const answers = await Promise.all(pages.map((page) => fetchMany(page, 20)))
    expect(answers.flat()).toEqual(Array.from({ length: 60 }, () => ({ status: 200, owner: 'ada' })))
    expect(refreshes(app) - before).toBe(1)
  })

  test('a cookie that is stale earlier than the browser thinks is refreshed after the 401, and the request repeated with its body', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    await outliveCookie(app, page)
    // The mirror is told that all is well for an hour: only the server knows better.
    await page.route('**/session', (route) => route.abort())
    await setTimes(page, { notedAt: 0, freshUntil: 3_600_000 })
    const before = refreshes(app)
    const status = await page.evaluate(async () => {
      const response = await fetch('/api/order', {
        method: 'POST',
        body: JSON.stringify({ item: 'x'.repeat(5000) }),
      })
      return response.status
    })
    expect(status).toBe(200)
    expect(refreshes(app) - before).toBe(1)
  })

  test('a refresh that a navigation cuts short signs nobody out', async ({ app, signIn }) => {
    const page = await signIn()
    for (let round = 0; round < counts.refreshesCutShort; round++) {
      await outliveCookie(app, page)
      const held = app.hold('/session/refresh')
      await page.evaluate(() => void fetch('/api/me').catch(() => undefined))
      await held.arrived
      const loading = page.goto(app.origin)
      await sleep(100)
      held.release()
      await loading
      await page.waitForFunction(() => window.session?.status.state === 'live')
      expect(await page.evaluate(() => window.session.owner)).toBe('ada')
    }
  })

  test('twenty calls of session.fetch at a stale cookie get 200 after one refresh, without a worker', async ({
    app,
    context,
  }) => {
    const page = await openPage(context, app.origin, '/?no-worker')
    await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
    expect(await page.evaluate(() => [window.session.owner, navigator.serviceWorker.controller])).toEqual([
      'ada',
      null,
    ])
    await outliveCookie(app, page)
    const before = refreshes(app)
    const statuses = await page.evaluate(async () => {
      const responses = await Promise.all(Array.from({ length: 20 }, () => window.session.fetch('/api/me')))
      return responses.map((response) => response.status)
    })
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(refreshes(app) - before).toBe(1)
  })
})

describe('a cookie at its end, asked for by what is not the page itself', () => {
  const inWorker = (page: Page, kind: 'Worker' | 'SharedWorker', from: 'url' | 'blob'): Promise<number> =>
    page.evaluate(
      async ([name, source]) => {
        const code = `
          const ask = (port) => fetch(new URL('/api/me', origin)).then((response) => port.postMessage(response.status))
          if ('onconnect' in self) onconnect = ({ ports: [port] }) => ask(port)
          else ask(self)`
        const url =
          source === 'blob' ? URL.createObjectURL(new Blob([code], { type: 'text/javascript' })) : '/asker.js'
        return new Promise<number>((resolve) => {
          const heard = ({ data }: MessageEvent): void => resolve(data as number)
          if (name === 'Worker') new Worker(url).addEventListener('message', heard)
          else {
            const { port } = new SharedWorker(url)
            port.addEventListener('message', heard)
            port.start()
          }
        })
      },
      [kind, from] as const,
    )

  test('web workers and srcdoc frames get 200', async ({ app, signIn }) => {
    app.assets['/asker.js'] = "fetch('/api/me').then((response) => postMessage(response.status))"
    const page = await signIn()
    await outliveCookie(app, page)
    expect(await inWorker(page, 'Worker', 'url')).toBe(200)
    await outliveCookie(app, page)
    expect(await inWorker(page, 'Worker', 'blob')).toBe(200)
    await outliveCookie(app, page)
    const status = await page.evaluate(async () => {
      const frame = document.createElement('iframe')
      frame.srcdoc = '<p>in a frame</p>'
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
      document.body.append(frame)
      await loaded
      return frame.contentWindow?.fetch(new URL('/api/me', origin)).then((response) => response.status)
    })
    expect(status).toBe(200)
  })
})

describe('a cookie at its end, in two tabs that no worker controls', () => {
  test('a stale cookie is refreshed once by two tabs: the second finds in storage that the first one has', async ({
    app,
    context,
    signIn,
  }) => {
    const other = await openPage(context, app.origin, '/?no-worker')
    const first = await signIn({ path: '/?no-worker' })
    await other.waitForFunction(() => window.session.owner === 'ada')
    await outliveCookie(app, first, other)
    const pages = [first, other]
    const before = refreshes(app)
    const statuses = await Promise.all(
      pages.map((page) =>
        page.evaluate(async () => {
          const responses = await Promise.all(
            Array.from({ length: 20 }, () => window.session.fetch('/api/me')),
          )
          return responses.map((response) => response.status)
        }),
      ),
    )
    expect(new Set(statuses.flat())).toEqual(new Set([200]))
    expect(refreshes(app) - before).toBe(1)
  })
})

describe('a worker that is ended', () => {
  test(`a worker that is ended in mid-flight, ${counts.workersEndedInMidFlight} times, loses and doubles nothing`, async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    app.delays.set('/session/sync', 5)
    app.delays.set('/api/me', 30)
    for (let round = 0; round < counts.workersEndedInMidFlight; round++) {
      await page.evaluate(() => {
        window.session.increment('visits')
        void fetch('/api/me').catch(() => undefined)
      })
      await sleep((round % 5) * 8)
      await stopWorkers(page)
    }
    app.delays.clear()
    await page.waitForFunction(() => window.session.pending === 0)
    const { owner, visits } = await page.evaluate(() => fetch('/api/me').then((response) => response.json()))
    expect({ owner, visits }).toEqual({ owner: 'ada', visits: counts.workersEndedInMidFlight })
  })

  test('a worker that is ended while it refreshes signs nobody out, and the next request is served', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    for (let round = 0; round < counts.refreshesCutShort; round++) {
      await outliveCookie(app, page)
      const held = app.hold('/session/refresh')
      await page.evaluate(() => void fetch('/api/me').catch(() => undefined))
      await held.arrived
      await stopWorkers(page)
      held.release()
      expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'ada' }])
    }
  })

  test('a worker that was ended by its kill switch stays ended, also when the browser starts it again for the page it still has', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    await page.evaluate(() => navigator.serviceWorker.controller?.postMessage({ type: 'retire' }))
    await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0)
    await stopWorkers(page)
    const before = app.seen.length
    await page.evaluate(() => fetch('/api/me'))
    const [asked, ...others] = app.seen.slice(before).filter((seen) => seen.path === '/api/me')
    expect([asked?.epoch, others]).toEqual([undefined, []])

    // A page that registers it again gets it back.
    await page.reload()
    await page.waitForFunction(
      () => window.session?.status.state === 'live' && navigator.serviceWorker.controller !== null,
    )
    const epoch = await page.evaluate(() => window.session.inspect().local.mirror.epoch)
    expect(epoch).not.toBeNull()
    await until('the worker says which session a request means', async () => {
      await page.evaluate(() => fetch('/api/me'))
      return app.seen.findLast((seen) => seen.path === '/api/me')?.epoch === epoch
    })
  })

  test('the kill switch unregisters the worker, and the page works on', async ({ signIn }) => {
    const page = await signIn()
    await page.evaluate(() => navigator.serviceWorker.controller?.postMessage({ type: 'retire' }))
    await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0)
    expect(
      await page.evaluate(() => window.session.fetch('/api/me').then((response) => response.json())),
    ).toMatchObject({ owner: 'ada' })
  })
})

describe('a hard reload', () => {
  test('a page after a hard reload, which no worker controls, is taken over without a second reload', async ({
    context,
    signIn,
  }) => {
    const page = await signIn()
    const cdp = await context.newCDPSession(page)
    await cdp.send('Page.reload', { ignoreCache: true })
    await page.waitForFunction(() => window.session?.status.state === 'live')
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
    expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'ada' }])
  })
})

describe('the app’s own requests', () => {
  test('the app’s own requests keep their referrer, its policy and their abort', async ({ app, signIn }) => {
    const page = await signIn()
    const before = app.seen.length
    await page.evaluate(() => fetch('/api/me'))
    await page.evaluate(() => fetch('/api/me', { referrerPolicy: 'no-referrer' }))
    const asked = app.seen.slice(before).filter((seen) => seen.path === '/api/me')
    expect(asked.map((seen) => seen.referrer)).toEqual([`${app.origin}/`, undefined])
    // Its answer is held back until the page has given up.
    const held = app.hold('/api/me')
    const aborted = await page.evaluate(() =>
      fetch('/api/me', { signal: AbortSignal.timeout(30) }).then(
        () => 'answered',
        (error: Error) => error.name,
      ),
    )
    held.release()
    expect(aborted).toBe('TimeoutError')
  })
})

test('a GET that signs somebody in, as the way back from another provider does, is sent once', async ({
  app,
  signIn,
}) => {
  const page = await signIn()
  const before = app.count('GET', '/api/sign-in')
  const owners = await page.evaluate(async () => {
    const seen: unknown[] = []
    for (const [round, name] of ['grace', 'ada', 'grace', 'ada', 'grace', 'ada'].entries()) {
      await fetch('/api/me')
      // Every other answer comes when the event stream has long told the page.
      await fetch(`/api/sign-in?as=${name}${round % 2 === 0 ? '&wait=300' : ''}`)
      seen.push((await (await fetch('/api/me')).json()).owner)
    }
    return seen
  })
  expect(owners).toEqual(['grace', 'ada', 'grace', 'ada', 'grace', 'ada'])
  expect(app.count('GET', '/api/sign-in') - before).toBe(6)
})

describe('signing out', () => {
  test('signing out, and in again before the first answer has come, signs nobody out', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    app.delays.set('/session', 700)
    await page.evaluate(() => void window.session.signOut())
    await page.waitForFunction(() => window.session.status.state === 'signed-out')
    const status = await page.evaluate(() =>
      fetch('/api/sign-in?as=grace', { method: 'POST' }).then((r) => r.status),
    )
    app.delays.clear()
    expect(status).toBe(200)
    await page.waitForFunction(() => window.session.owner === 'grace')
    // An answer that would sign out whoever is here now has come by then.
    await sleep(800)
    expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'grace' }])
  })

  test(`a person who signs out while a slow request is saving stays signed out, ${counts.signOutsInTheBrowser} times`, async ({
    signIn,
  }) => {
    const page = await signIn()
    const back: number[] = []
    for (let round = 0; round < counts.signOutsInTheBrowser; round++) {
      const owner = await page.evaluate(async (count) => {
        if (window.session.owner === null) await fetch('/api/sign-in?as=ada', { method: 'POST' })
        const slow = fetch(`/api/slow-save?ms=${count % 20}`, { method: 'POST' }).catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, count % 7))
        await window.session.signOut()
        await slow
        return (await fetch('/api/me').then((response) => response.json())).owner
      }, round)
      if (owner !== null) back.push(round)
    }
    expect(back).toEqual([])
  })

  test('a request that leaves early right after a sign-out is never answered as who has left', async ({
    app,
    signIn,
  }) => {
    const page = await signIn()
    app.delays.set('/session', 50)
    const owners = await page.evaluate(async (rounds) => {
      const answers: unknown[] = []
      for (let round = 0; round < rounds; round++) {
        if (window.session.owner === null) await fetch('/api/sign-in?as=ada', { method: 'POST' })
        // The worker has just read storage: what it remembers is recent.
        await fetch('/api/me')
        const next = new Promise<Response>((resolve) => {
          const stop = window.session.on('owner', () => {
            stop()
            resolve(fetch('/api/me'))
          })
        })
        const left = window.session.signOut()
        answers.push((await (await next).json()).owner ?? null)
        await left
      }
      return answers
    }, counts.requestsAfterSignOut)
    app.delays.clear()
    expect(owners).toEqual(Array.from({ length: counts.requestsAfterSignOut }, () => null))
  })

  test('signing out in one tab wipes the other at once', async ({ app, context, signIn }) => {
    const [a, b] = [await signIn(), await openPage(context, app.origin)]
    await b.waitForFunction(() => window.session.owner === 'ada')
    await a.evaluate(() => window.session.signOut())
    await b.waitForFunction(() => window.session.status.state === 'signed-out')
    expect(await b.evaluate(() => [window.session.owner, window.session.get('user')])).toEqual([
      null,
      undefined,
    ])
  })
})

describe('another site', () => {
  const form = (enctype: string): string =>
    `<form method="post" enctype="${enctype}" action="TARGET"><input name="a" value="b"></form><script>document.forms[0].submit()</script>`
  const attacks = [
    ['a form that posts', 'POST', form('application/x-www-form-urlencoded')],
    ['a form that posts multipart', 'POST', form('multipart/form-data')],
    // A page of the top level: Lax cookies come along by design, Strict ones do not.
    ['a link of the top level', 'GET', '<script>location.href = "TARGET"</script>'],
  ] as const
  describe('that meets a strict cookie', () => {
    test.override('appOptions', { cookie: { sameSite: 'Strict' } })

    test.for(attacks)(
      '%s reaches the server as cross-site and without the cookie, with our worker in control',
      async ([_what, method, html], { app, context, signIn }) => {
        const page = await signIn()
        // The page's own request has it, so that the cookie is there to be stolen.
        expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'ada' }])
        const evil = createServer((_request, response) => {
          response.setHeader('content-type', 'text/html')
          response.end(html.replace('TARGET', `${app.origin}/api/order`))
        }).listen(0, '127.0.0.1')
        await once(evil, 'listening')
        const before = app.seen.length
        const attacker = await context.newPage()
        // localhost and 127.0.0.1 are two sites.
        await attacker.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`)
        await attacker.waitForURL(`${app.origin}/api/order`)
        evil.close()
        const reached = app.seen.slice(before).filter((seen) => seen.path === '/api/order')
        expect(reached).toMatchObject([
          { method, path: '/api/order', site: 'cross-site', cookie: undefined, epoch: undefined },
        ])
      },
    )
  })

  test.for(attacks)(
    '%s brings a Lax cookie, as we set it by default, only as a link',
    async ([_what, method, html], { app, context, signIn }) => {
      await signIn()
      const evil = createServer((_request, response) => {
        response.setHeader('content-type', 'text/html')
        response.end(html.replace('TARGET', `${app.origin}/api/order`))
      }).listen(0, '127.0.0.1')
      await once(evil, 'listening')
      const before = app.seen.length
      const attacker = await context.newPage()
      await attacker.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`)
      await attacker.waitForURL(`${app.origin}/api/order`)
      evil.close()
      const [reached] = app.seen.slice(before).filter((seen) => seen.path === '/api/order')
      expect(reached).toMatchObject({ method, site: 'cross-site', epoch: undefined })
      expect(reached?.cookie !== undefined).toBe(method === 'GET')
    },
  )
})

test('ten thousand hostile messages to the worker, and to the channel of the tabs, change nothing', async ({
  context,
  signIn,
}) => {
  const page = await signIn()
  const thrown: unknown[] = []
  context.on('weberror', (error) => thrown.push(error.error()))
  const mirrored = (): Promise<unknown> =>
    page.evaluate(() => {
      const { epoch, owner, revision, keys } = window.session.inspect().local.mirror
      return { epoch, owner, revision, keys }
    })
  const known = await mirrored()
  await page.evaluate(async () => {
    const { controller } = navigator.serviceWorker
    const channel = new BroadcastChannel('session-mirror:/session')
    const words = [
      'type',
      'claim',
      'retire',
      'report',
      'mirror',
      'outbox',
      'format',
      'hint',
      'gone',
      'added',
      '__proto__',
      'epoch',
      'version',
    ]
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return Math.floor((seed / 2147483648) * below)
    }
    function junk(depth: number): unknown {
      const kind = random(depth > 3 ? 7 : 10)
      if (kind < 7)
        return [
          null,
          undefined,
          random(1e9),
          -1,
          words[random(words.length)],
          new Date(),
          new Uint8Array(random(9)),
        ][kind]
      if (kind === 7) return Array.from({ length: random(4) }, () => junk(depth + 1))
      return Object.fromEntries(
        Array.from({ length: random(5) }, () => [words[random(words.length)], junk(depth + 1)]),
      )
    }
    // Never a message that means something: those are the page's to send.
    const isOurs = (data: unknown): boolean =>
      ['claim', 'retire', 'report'].includes((data as { type?: string } | null)?.type ?? '')
    for (let count = 0; count < 10_000; count++) {
      const data = junk(0)
      if (!isOurs(data)) controller?.postMessage(data, count % 7 === 0 ? [new MessageChannel().port2] : [])
      const notice = junk(0)
      channel.postMessage(count % 3 === 0 && typeof notice === 'object' ? { format: 1, ...notice } : notice)
      if (count % 500 === 0) await new Promise((resolve) => setTimeout(resolve))
    }
    channel.close()
  })
  expect(await fetchMany(page, 1)).toEqual([{ status: 200, owner: 'ada' }])
  expect(await mirrored()).toEqual(known)
  expect(await page.evaluate(() => window.session.inspect().worker)).toBe('controlling')
  expect(thrown).toEqual([])
})
