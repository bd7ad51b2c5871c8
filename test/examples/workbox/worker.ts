// A worker built with Workbox's own modules: precache, offline shell, caches of its own; our session with one call, first.
import { clientsClaim } from 'workbox-core'
import { createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'
import { CacheFirst, NetworkFirst, StaleWhileRevalidate } from 'workbox-strategies'
import { installSessionWorker } from 'session-mirror/worker'

declare const self: ServiceWorkerGlobalScope & {
  readonly __WB_MANIFEST: ({ url: string; revision: string | null } | string)[]
}

// Before any route: who listens first answers first, and Workbox listens with its first route.
installSessionWorker({ api: ['/api/'] })

void self.skipWaiting()
clientsClaim()
precacheAndRoute(self.__WB_MANIFEST)
registerRoute(new NavigationRoute(createHandlerBoundToURL('/index.html')))
registerRoute(({ url }) => url.pathname.startsWith('/images/'), new CacheFirst({ cacheName: 'images' }))
registerRoute(
  ({ url }) => url.pathname === '/catalogue',
  new StaleWhileRevalidate({ cacheName: 'catalogue' }),
)
// A mistake that must not hurt: answers of the session's requests belong into no cache, and never get there.
registerRoute(({ url }) => url.pathname.startsWith('/api/'), new NetworkFirst({ cacheName: 'api' }))
