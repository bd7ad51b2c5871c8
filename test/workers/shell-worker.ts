// A hand-written worker of an app that also works offline: its own shell from Cache Storage, our session with
// one call. What an app with a worker of its own would do.
import { installSessionWorker } from 'session-mirror/worker'

declare const self: ServiceWorkerGlobalScope

installSessionWorker({ api: ['/api/'] })

self.addEventListener('install', (event) => {
  void self.skipWaiting()
  event.waitUntil(caches.open('shell').then((cache) => cache.addAll(['/', '/page.js'])))
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  const { pathname } = new URL(event.request.url)
  if (pathname !== '/' && pathname !== '/page.js') return
  event.respondWith(caches.match(pathname).then((cached) => cached ?? fetch(event.request)))
})
