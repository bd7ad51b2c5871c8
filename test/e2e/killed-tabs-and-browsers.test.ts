// Tabs that crash and browsers that are killed, for real and often (workers are in `worker.test.ts`): what a write's promises said is true
// afterwards, and nothing is applied twice.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, type Page, chromium as playwright } from 'playwright'
import { describe, expect } from 'vitest'
import { chromiumArguments, chromiumPath } from '../support/chromium.ts'
import { counts } from '../support/counts.ts'
import { freePort, startProgram } from '../support/programs.ts'
import { until } from '../support/waiting.ts'
import type { App } from './app.ts'
import { openPage } from './browser.ts'
import { memcachedTest } from './fixtures.ts'

const test = memcachedTest.extend('folder', ({}, { onCleanup }) => {
  const folder = mkdtempSync(join(tmpdir(), 'session-mirror-'))
  onCleanup(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
})

/** What the pages said before they were killed: a word that did not get out was not given. */
interface Ledger {
  made: number
  stored: number
}

/** Increments `count` times; the ledger learns of each before it is made, and again once it is stored. */
async function startWriting(page: Page, ledger: Ledger, count: number): Promise<void> {
  await page.exposeFunction('tell', (what: 'made' | 'stored') => void ledger[what]++)
  await page.evaluate((many) => {
    const { tell } = window as unknown as { tell(what: string): Promise<void> }
    const write = async (): Promise<void> => {
      await tell('made')
      const { stored } = window.session.increment('visits')
      if ((await stored) === 'disk') await tell('stored')
    }
    Object.assign(window, { writing: Promise.all(Array.from({ length: many }, write)) })
  }, count)
}

const written = (page: Page): Promise<unknown> =>
  page.evaluate(() => (window as unknown as { writing: Promise<unknown> }).writing)

/** Opens another page of the same profile, lets it send what is left, and says what the server has. */
async function visitsAfter(app: App, context: BrowserContext): Promise<{ visits: number; owner: string }> {
  const page = await openPage(context, app.origin)
  await page.waitForFunction(() => window.session.pending === 0)
  const { visits, owner } = await page.evaluate(() => fetch('/api/me').then((response) => response.json()))
  await page.close()
  return { visits, owner }
}

/** Sums up a round: at least what was stored, at most what was made. Returns what there is now. */
function check(before: number, visits: number, { made, stored }: Ledger): number {
  expect(visits).toBeGreaterThanOrEqual(before + stored)
  expect(visits).toBeLessThanOrEqual(before + made)
  return visits
}

describe('a tab that crashes', () => {
  test(`a tab that crashes with a pending outbox, ${counts.crashedTabs} times, loses and doubles nothing`, async ({
    app,
    context,
    signIn,
  }) => {
    await (await signIn()).close()
    let total = 0
    for (let round = 0; round < counts.crashedTabs; round++) {
      const page = await openPage(context, app.origin)
      const ledger = { made: 0, stored: 0 }
      app.delays.set('/session/sync', (round % 4) * 10)
      await startWriting(page, ledger, 5)
      // Every other time in the middle of it, else with all stored and on its way.
      if (round % 2 === 0) await written(page)
      else await until('the tab writes', () => ledger.made > round % 5)
      const cdp = await context.newCDPSession(page)
      const crashed = page.waitForEvent('crash')
      void cdp.send('Page.crash').catch(() => undefined)
      await crashed
      await page.close()
      app.delays.clear()
      const { visits, owner } = await visitsAfter(app, context)
      expect(owner).toBe('ada')
      total = check(total, visits, ledger)
    }
    expect(total).toBeGreaterThanOrEqual(counts.crashedTabs * 2.5)
  })
})

describe('a browser that is killed', () => {
  interface Running {
    readonly context: BrowserContext
    /** Resolves when it has ended by itself. */
    readonly ended: Promise<unknown>
    kill(): Promise<void>
  }

  async function start(folder: string): Promise<Running> {
    const port = await freePort()
    const args = ['--headless=new', `--remote-debugging-port=${port}`, `--user-data-dir=${folder}`]
    const program = await startProgram({
      command: chromiumPath,
      args: [...chromiumArguments, ...args, 'about:blank'],
      ready: { port },
    })
    const browser = await playwright.connectOverCDP(`http://127.0.0.1:${port}`)
    const [context] = browser.contexts()
    if (context === undefined) throw new Error('no profile')
    context.setDefaultTimeout(120_000)
    return { context, ended: once(program.child, 'exit'), kill: () => program.kill() }
  }

  test(`a browser that is killed with SIGKILL and started again, ${counts.killedBrowsers} times, loses and doubles nothing`, async ({
    app,
    folder,
    signIn,
  }) => {
    const first = await start(folder)
    await (await signIn({ context: first.context })).close()
    // Chromium writes its cookies after half a minute, or when it is closed as people close it.
    const [blank] = first.context.pages()
    if (blank === undefined) throw new Error('no page')
    await (await first.context.newCDPSession(blank)).send('Browser.close').catch(() => undefined)
    await first.ended
    let { context, kill } = await start(folder)
    let total = 0
    for (let round = 0; round < counts.killedBrowsers; round++) {
      const page = await openPage(context, app.origin)
      const ledger = { made: 0, stored: 0 }
      app.delays.set('/session/sync', (round % 4) * 20)
      await startWriting(page, ledger, 10)
      if (round % 2 === 0) await written(page)
      else await until('the tab writes', () => ledger.made > round % 10)
      await kill()
      app.delays.clear()
      ;({ context, kill } = await start(folder))
      const { visits, owner } = await visitsAfter(app, context)
      expect(owner).toBe('ada')
      total = check(total, visits, ledger)
    }
    expect(total).toBeGreaterThanOrEqual(counts.killedBrowsers * 5)
    await kill()
  })
})
