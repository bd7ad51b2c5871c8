// The kill switch from the server's side: a worker that answers nothing and unregisters itself. No page is reloaded:
// those that are open go past it at once.

declare const self: ServiceWorkerGlobalScope

export function retire(): void {
  self.addEventListener('install', () => void self.skipWaiting())
  self.addEventListener('activate', (event) => event.waitUntil(self.registration.unregister()))
}
