// Real Chromium for the end-to-end tests, and what they ask of it.
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright'
import {
  chromiumArguments,
  chromiumPath,
  headlessShellArguments,
  headlessShellPath,
} from '../support/chromium.ts'
import { until } from '../support/waiting.ts'
import type { App } from './app.ts'

/** Starts Chromium's shell; with other arguments beside the usual ones, or without some of Playwright's. */
export function launch({
  executablePath = headlessShellPath,
  args = [],
  ignoreDefaultArgs = [],
}: LaunchOptions = {}): Promise<Browser> {
  const usual = executablePath === chromiumPath ? chromiumArguments : headlessShellArguments
  return chromium.launch({ executablePath, args: [...usual, ...args], ignoreDefaultArgs })
}

/** Milliseconds after which a wait for something in a page is given up: nobody waits so long but a test that fails. */
const deadline = 120_000

/** Another profile, which ends with its context. */
export async function newContext(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext()
  context.setDefaultTimeout(deadline)
  return context
}

interface LaunchOptions {
  /** `chromiumPath` for what the shell does not have. */
  readonly executablePath?: string
  readonly args?: readonly string[]
  readonly ignoreDefaultArgs?: string[]
}

/** A browser with a profile on disk: what it keeps when it is closed is there the next time. */
export async function launchProfile(folder: string): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: chromiumPath,
    args: chromiumArguments,
  })
  context.setDefaultTimeout(deadline)
  return context
}

/** Opens the test page and waits until the session is read, in step with the server, and (unless told not to) controlled. */
export async function openPage(context: BrowserContext, origin: string, path = '/'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(origin + path)
  await page.evaluate(() => window.session.ready)
  await page.waitForFunction(() => window.session.status.state === 'live')
  if (!path.includes('no-worker'))
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  return page
}

/** Seconds for which cookies serve, unless a test waits for the end of one: longer than any test takes. */
export const longFreshSeconds = 600

/**
 * Gives the pages of a profile a cookie that serves for a second, and lets that pass, on the server and in the browser. The
 * cookies before and after it serve for long: however slow the machine is, a test meets one end of a cookie.
 */
export async function outliveCookie(app: App, page: Page, ...others: readonly Page[]): Promise<void> {
  const pages = [page, ...others]
  app.configure({ freshSeconds: 1 })
  const freshFor = (): Promise<readonly number[]> =>
    Promise.all(
      pages.map((one) => one.evaluate(() => window.session.inspect().local.mirror.freshUntil - Date.now())),
    )
  // An answer to what was asked before may come last, and say that the cookie serves for long: then once more.
  await until('every page knows of a short cookie', async () => {
    await page.evaluate(() => window.session.fetch('/api/sign-in?as=ada', { method: 'POST' }))
    await Promise.all(pages.map((one) => one.evaluate(() => window.session.pull())))
    return (await freshFor()).every((left) => left < 10_000)
  })
  // A page that reads its new session is given another one of these. The browser believes in it at least as long as the server.
  await until('the cookie’s fresh time is over', async () => (await freshFor()).every((left) => left < 0))
  app.configure({ freshSeconds: longFreshSeconds })
}

/** Waits until nothing is being sent to the session routes, by a page or the worker: whoever sends holds the lock. */
export async function untilSent(page: Page): Promise<void> {
  await page.evaluate(() => navigator.locks.request('session-mirror:/session:sync', () => undefined))
}

/** Ends every service worker, as the browser does at will: nothing in its memory survives. */
export async function stopWorkers(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('ServiceWorker.enable')
  await cdp.send('ServiceWorker.stopAllWorkers')
  await cdp.detach()
}

/** Makes the browser believe other times of its cookie, in milliseconds from now, or another epoch; only the server knows better. */
export function setTimes(
  page: Page,
  times: { readonly notedAt: number; readonly freshUntil: number; readonly epoch?: string },
): Promise<void> {
  return page.evaluate(async ({ notedAt, freshUntil, epoch }) => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('session-mirror:/session')
      opening.addEventListener('success', () => resolve(opening.result))
    })
    const objects = database.transaction('mirror', 'readwrite').objectStore('mirror')
    const reading = objects.get('mirror')
    await new Promise((resolve) => reading.addEventListener('success', resolve))
    const now = Date.now()
    const { mirror, version } = reading.result
    const other = epoch === undefined ? {} : { mirror: { ...mirror, epoch }, version: version + 1 }
    const changed = { ...reading.result, ...other, notedAt: now + notedAt, freshUntil: now + freshUntil }
    objects.put(changed, 'mirror')
    await new Promise((resolve) => objects.transaction.addEventListener('complete', resolve))
    database.close()
  }, times)
}

/** Everything in this origin's IndexedDB as one text, with binary values as characters. */
export function dumpStorage(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const parts: unknown[] = []
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(name)
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error))
      })
      for (const store of database.objectStoreNames) {
        const all = database.transaction(store).objectStore(store).getAll()
        await new Promise((resolve) => all.addEventListener('success', resolve))
        parts.push(name, store, all.result)
      }
      database.close()
    }
    return JSON.stringify([parts, { ...localStorage }], (_key, value: unknown) =>
      value instanceof ArrayBuffer ? String.fromCharCode(...new Uint8Array(value)) : value,
    )
  })
}
