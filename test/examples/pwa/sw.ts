// A worker of vite-plugin-pwa (injectManifest): our session with one import and one call. Here it comes last, which is as
// good as long as no route of Workbox's is for the same paths.
import { clientsClaim } from 'workbox-core'
import { createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching'
import { NavigationRoute, registerRoute } from 'workbox-routing'
import { CacheFirst, StaleWhileRevalidate } from 'workbox-strategies'
import { installSessionWorker } from 'session-mirror/worker'

declare const self: ServiceWorkerGlobalScope & {
  readonly __WB_MANIFEST: ({ url: string; revision: string | null } | string)[]
}

void self.skipWaiting()
clientsClaim()
precacheAndRoute(self.__WB_MANIFEST)
registerRoute(new NavigationRoute(createHandlerBoundToURL('/index.html')))
registerRoute(({ url }) => url.pathname.startsWith('/images/'), new CacheFirst({ cacheName: 'images' }))
registerRoute(
  ({ url }) => url.pathname === '/catalogue',
  new StaleWhileRevalidate({ cacheName: 'catalogue' }),
)
// A route that was registered before us goes before us: the session has no part in its requests.
registerRoute(({ url }) => url.pathname === '/api/public', new StaleWhileRevalidate({ cacheName: 'public' }))

installSessionWorker({ api: ['/api/'] })
