// What an end-to-end test is given: a browser for the file, and for each test a profile, a store and an app of its own.
// Nothing that one test leaves behind meets another.
import type { Browser, BrowserContext, Page } from 'playwright'
import { test as base } from 'vitest'
import { memcachedStore } from 'session-mirror/memcached'
import { memoryStore } from 'session-mirror/memory'
import type { Store } from 'session-mirror/server'
import { type Memcached, startMemcached } from '../support/memcached.ts'
import { type App, type AppOptions, startApp } from './app.ts'
import { launch, newContext, openPage } from './browser.ts'

/** Opens a page and signs somebody in there; resolves with the page when it knows who that is. */
export type SignIn = (options?: {
  /** The browser's profile. @default that of the test */
  readonly context?: BrowserContext
  /** @default that of the test */
  readonly app?: App
  /** Of the page. @default '/' */
  readonly path?: string
  /** @default 'ada' */
  readonly as?: string
  /** Whether the session ends with the browser. @default false */
  readonly isPublic?: boolean
}) => Promise<Page>

export const test = base
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }): Promise<Browser> => {
    const browser = await launch()
    onCleanup(() => browser.close())
    return browser
  })
  // Lifetimes and the like: `test.override('appOptions', …)`.
  .extend('appOptions', (): Omit<AppOptions, 'store'> => ({}))
  .extend('store', (): Store => memoryStore())
  .extend('app', async ({ appOptions, store }, { onCleanup }): Promise<App> => {
    const app = await startApp({ store, ...appOptions })
    onCleanup(() => app.close())
    return app
  })
  .extend('context', async ({ browser }, { onCleanup }): Promise<BrowserContext> => {
    const context = await newContext(browser)
    onCleanup(() => context.close())
    return context
  })
  .extend(
    'signIn',
    ({ app: own, context: here }): SignIn =>
      async ({ context = here, app = own, path = '/', as = 'ada', isPublic = false } = {}) => {
        const page = await openPage(context, app.origin, path)
        await page.evaluate(
          (url) => {
            const isControlled = navigator.serviceWorker.controller !== null
            return isControlled
              ? fetch(url, { method: 'POST' })
              : window.session.fetch(url, { method: 'POST' })
          },
          `/api/sign-in?as=${as}${isPublic ? '&public' : ''}`,
        )
        await page.waitForFunction((owner) => window.session.owner === owner, as)
        return page
      },
  )

/** The same with a real memcached for the file. */
export const memcachedTest = test
  .extend('memcached', { scope: 'file' }, async ({}, { onCleanup }): Promise<Memcached> => {
    const memcached = await startMemcached()
    onCleanup(() => memcached.kill())
    return memcached
  })
  // A busy machine must not look like a memcached that is away.
  .extend('storeTimeoutMilliseconds', 10_000)
  .extend('store', async ({ memcached, storeTimeoutMilliseconds }, { onCleanup }): Promise<Store> => {
    const store = memcachedStore({
      servers: memcached.address,
      timeoutMilliseconds: storeTimeoutMilliseconds,
    })
    onCleanup(() => store.close())
    return store
  })
