// A worker written by hand: the app's shell from Cache Storage when there is no network, and our session with one call.
import { installSessionWorker } from 'session-mirror/worker'

declare const self: ServiceWorkerGlobalScope

installSessionWorker({ api: ['/api/'] })

self.addEventListener('install', (event) => {
  void self.skipWaiting()
  event.waitUntil(fillCache())
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  const { mode, url } = event.request
  if (mode === 'navigate') event.respondWith(networkFirst(event.request))
  else if (new URL(url).pathname.startsWith('/assets/')) event.respondWith(cacheFirst(event.request))
})

async function fillCache(): Promise<void> {
  const page = await fetch('/')
  const cache = await caches.open('shell')
  const scripts = [...(await page.clone().text()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(
    ([, url]) => url ?? '',
  )
  await Promise.all([cache.put('/', page), cache.addAll(scripts)])
}

async function networkFirst(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch {
    return (await caches.match('/')) ?? Response.error()
  }
}

async function cacheFirst(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request)
}
