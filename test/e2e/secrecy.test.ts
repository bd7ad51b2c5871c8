// The session id is in the cookie and nowhere else: not in an answer, the page, its storage, a worker or the log.
import { expect } from 'vitest'
import { sleep } from '../support/waiting.ts'
import { dumpStorage, openPage } from './browser.ts'
import { test } from './fixtures.ts'

test.override('appOptions', { rotateSeconds: 1 })

test('no session id is found anywhere but in the cookie after a life with sign-in, writes, rotation and sign-out', async ({
  app,
  context,
}) => {
  const texts: Promise<string>[] = []
  const ids = new Set<string>()
  const noteCookie = async (): Promise<void> => {
    for (const { name, value } of await context.cookies())
      if (name === 'session') ids.add(value.split('.')[2] ?? '')
  }
  context.on('console', (message) => void texts.push(Promise.resolve(message.text())))
  context.on('response', (response) => {
    const { 'set-cookie': _cookie, ...headers } = response.headers()
    // The bodies of some requests of a worker never come; the page's own are the same ones.
    const body = Promise.race([response.text().catch(() => ''), sleep(3000).then(() => '')])
    texts.push(body.then((text) => `${response.url()} ${JSON.stringify(headers)} ${text}`))
  })
  const page = await openPage(context, app.origin)
  const signIn = (name: string): Promise<unknown> =>
    page.evaluate((url) => fetch(url, { method: 'POST' }), `/api/sign-in?as=${name}`)

  await page.evaluate(() => window.session.set('note', 'first').acknowledged)
  await noteCookie()
  await signIn('ada')
  await noteCookie()
  await page.waitForTimeout(1100)
  await page.evaluate(async () => {
    const body = JSON.stringify({ epoch: null, owner: null, since: 0 })
    const headers = { 'content-type': 'application/json', 'session-mirror': '1' }
    await fetch('/session/refresh', { method: 'POST', body, headers })
    await fetch('/session/nothing')
    await window.session.set('note', 'second').acknowledged
  })
  await noteCookie()
  const inspected = await page.evaluate(() => JSON.stringify(window.session.inspect()))
  const stored = await dumpStorage(page)
  const cached = await page.evaluate(async () => JSON.stringify(await caches.keys()))
  await page.evaluate(() => window.session.signOut())

  expect(ids.size).toBe(3)
  const all = [...(await Promise.all(texts)), inspected, stored, cached].join('\n')
  expect(all).toContain('second')
  // The first six characters name the secret, which is no secret.
  for (const id of ids) expect(all).not.toContain(id.slice(6))
  expect(await page.evaluate(() => document.cookie)).toBe('')
})
