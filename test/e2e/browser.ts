// Real Chromium for the end-to-end tests, and what they ask of it.
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright'
import { chromiumArguments, chromiumPath as executablePath } from '../support/chromium.ts'

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath, args: chromiumArguments })
}

/** A browser with a profile on disk: what it keeps when it is closed is there the next time. */
export function launchProfile(folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { executablePath, args: chromiumArguments })
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
