// What this engine has: asserted where session-mirror relies on it, printed where it goes on without. The table in
// docs/engines.md is filled from what this prints.
import { afterAll, expect, inject, test } from 'vitest'
import { createApp } from './app.ts'
import { sleep, until } from '../support/waiting.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Undefined in `npm test`. */
    printsFeatures: boolean | undefined
  }
}

const app = createApp('features')
const registered: ServiceWorkerRegistration[] = []
afterAll(async () => {
  await Promise.all(registered.map((registration) => registration.unregister()))
})

async function ask(worker: ServiceWorker): Promise<Record<string, unknown>> {
  const { port1, port2 } = new MessageChannel()
  const answer = new Promise<Record<string, unknown>>((resolve) => {
    port1.addEventListener('message', ({ data }) => resolve(data))
  })
  port1.start()
  worker.postMessage('what have you got?', [port2])
  return answer
}

async function register(type: WorkerType): Promise<ServiceWorker> {
  const scope = `${app.base}/${type}/`
  const registration = await navigator.serviceWorker.register(`${app.base}/features-worker.js`, {
    type,
    scope,
  })
  registered.push(registration)
  await until('the worker is active', () => registration.active !== null)
  return registration.active as ServiceWorker
}

const required = {
  indexedDbWithKey: true,
  locks: true,
  broadcastChannel: true,
  // Neither page nor worker can touch the session's cookie: all that "attach" means is credentials, and order.
  cookieHeader: 'forbidden',
  urlParse: true,
  withResolvers: true,
}

/** Only `npm run test:engines` prints, for the tables of docs/engines.md. */
function print(line: string): void {
  if (inject('printsFeatures') === true) console.log(line)
}

test.each(['classic', 'module'] as const)('a %s worker has what ours needs', async (type) => {
  const found = await ask(await register(type))
  expect(found).toMatchObject(required)
  print(`features of a ${type} worker: ${JSON.stringify(found)}`)
})

test('a page has what ours needs', async () => {
  const has = {
    secureContext: isSecureContext,
    locks: 'locks' in navigator,
    broadcastChannel: 'BroadcastChannel' in window,
    subtle: crypto.subtle !== undefined,
    abortTimeout: 'timeout' in AbortSignal,
    structuredClone: 'structuredClone' in window,
  }
  expect(Object.entries(has).filter(([, there]) => !there)).toEqual([])
  const [registration] = registered
  const extra = {
    backgroundSync: registration !== undefined && 'sync' in registration,
    cookieStore: 'cookieStore' in window,
    keepalive: 'keepalive' in new Request('/'),
    // A page of http://localhost, as in development.
    secureCookieOnLocalhost: await isKept('secure'),
    hostHttpCookieOnLocalhost: await isKept('host-http'),
    persist: await persisted(),
    bfcacheRestoreEvent: 'onpageshow' in window,
    userAgent: navigator.userAgent,
  }
  print(`features of a page: ${JSON.stringify(extra)}`)
})

test('a cookie of an answer to a keepalive request is kept, also when its page has gone', async () => {
  const without = (await outlives(false)) ? 'kept' : 'thrown away'
  print(`features: without keepalive such a cookie is ${without}`)
  expect(await outlives(true)).toBe(true)
})

/** Whether a cookie comes to stay whose page goes before the answer. */
async function outlives(keepalive: boolean): Promise<boolean> {
  const name = keepalive ? 'kept-alive' : 'cut-short'
  const frame = document.createElement('iframe')
  frame.src = `${app.base}/tab`
  document.body.append(frame)
  await new Promise((resolve) => frame.addEventListener('load', resolve))
  const page = frame.contentWindow as unknown as { fetch: typeof fetch }
  const url = `${app.base}/cookie?kind=${name}&slow=1`
  void page.fetch(url, { keepalive, method: 'POST' }).catch(() => undefined)
  await sleep(100)
  frame.contentWindow?.location.replace('about:blank')
  await sleep(1000)
  frame.remove()
  if (keepalive) await until('the cookie has come', () => arrives(name))
  return arrives(name)
}

const arrives = async (kind: string): Promise<boolean> => {
  const response = await fetch(`${app.base}/cookies`)
  return ((await response.json()) as string).includes(`probe-${kind}=1`)
}
async function isKept(kind: string): Promise<boolean> {
  await fetch(`${app.base}/cookie?kind=${kind}`, { method: 'POST' })
  return arrives(kind)
}

/** Firefox asks the user, who is not here. */
async function persisted(): Promise<string> {
  if (!('storage' in navigator)) return 'no navigator.storage'
  const asked = navigator.storage.persist().then(String)
  return Promise.race([asked, sleep(2000).then(() => 'asks the user')])
}
