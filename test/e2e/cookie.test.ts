// What real Chromium makes of our cookie and of our event stream.
import type { Page } from 'playwright'
import { expect } from 'vitest'
import { openPage } from './browser.ts'
import { test } from './fixtures.ts'

// Chromium takes Secure cookies from plain-http localhost, too: so the name of production is tried for real.
test.override('appOptions', { cookie: { secure: true } })

const name = '__Host-Http-session'
const signInHere = (page: Page, who: string): Promise<unknown> =>
  page.evaluate((url) => fetch(url, { method: 'POST' }), `/api/sign-in?as=${who}`)

test('the cookie is kept with its attributes, and taken away by the sign-out', async ({ app, context }) => {
  const page = await openPage(context, app.origin)
  await signInHere(page, 'ada')
  const [cookie, ...others] = await context.cookies()
  expect(others).toEqual([])
  expect(cookie).toMatchObject({
    name,
    httpOnly: true,
    secure: true,
    sameSite: 'Lax',
    path: '/',
    domain: 'localhost',
  })
  expect(name.length + (cookie?.value.length ?? 0)).toBeLessThan(200)
  await page.waitForFunction(() => window.session.owner === 'ada')
  expect(await page.evaluate(() => window.session.signOut())).toEqual({
    server: 'confirmed',
    device: 'clean',
  })
  expect(await context.cookies()).toEqual([])
})

test('a script in the page can push the cookie out of a full jar, and cannot plant another one', async ({
  app,
  context,
}) => {
  const page = await openPage(context, app.origin)
  await signInHere(page, 'mallory')
  const [mallory] = await context.cookies()
  await signInHere(page, 'ada')
  await page.evaluate(
    ([planted, value]) => {
      for (let count = 0; count < 400; count++) document.cookie = `c${count}=x; Path=/; Secure`
      document.cookie = `${planted}=${value}; Path=/; Secure`
    },
    [name, mallory?.value ?? ''],
  )
  const cookies = await context.cookies()
  expect(cookies.filter((cookie) => cookie.value === mallory?.value)).toEqual([])
  const me = await page.evaluate(() => fetch('/api/me').then((response) => response.json()))
  expect(['ada', null]).toContain(me.owner)
})

test('an EventSource hears what another tab writes, and the sign-out', async ({ app, context }) => {
  const [page, other] = [await openPage(context, app.origin), await openPage(context, app.origin)]
  await signInHere(page, 'ada')
  await other.waitForFunction(() => window.session.owner === 'ada')
  await page.evaluate(() => {
    const heard: unknown[] = []
    Object.assign(window, { heard })
    const source = new EventSource('/session/events')
    source.addEventListener('patch', ({ data, lastEventId }) => {
      const { keys } = JSON.parse(data) as { keys: Record<string, unknown> }
      heard.push([Object.keys(keys).toSorted(), /^[\w-]+\.\d+$/.test(lastEventId)])
    })
    source.addEventListener('ended', () => {
      heard.push('ended')
      source.close()
    })
  })
  const heard = (): Promise<unknown[]> =>
    page.evaluate(() => (window as unknown as { heard: unknown[] }).heard)
  const count = (length: number) =>
    page.waitForFunction((many) => (window as unknown as { heard: unknown[] }).heard.length === many, length)
  await count(1)
  await other.evaluate(() => window.session.set('note', 'from the other tab').acknowledged)
  await count(2)
  await other.evaluate(() => window.session.signOut())
  await count(3)
  expect(await heard()).toEqual([[['user'], true], [['note'], true], 'ended'])
})
