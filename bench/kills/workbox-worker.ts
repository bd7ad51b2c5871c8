// A worker with Workbox's queue, used as its guide says: a pushed request is on disk and is sent with the next sync.
import { Queue } from 'workbox-background-sync'

interface Message extends Event {
  readonly data: { readonly id?: string }
  readonly ports: readonly MessagePort[]
  waitUntil(work: Promise<unknown>): void
}

const queue = new Queue('bench')

self.addEventListener(
  'install',
  () => void (self as unknown as { skipWaiting(): Promise<void> }).skipWaiting(),
)
self.addEventListener('activate', (event) => {
  const { clients } = self as unknown as { readonly clients: { claim(): Promise<void> } } // A worker's global scope.
  ;(event as Message).waitUntil(clients.claim())
})
self.addEventListener('message', (event) => {
  const { data, ports, waitUntil } = event as unknown as Message
  waitUntil.call(
    event,
    obey(data.id).then((size) => ports[0]?.postMessage(size)),
  )
})

async function obey(id: string | undefined): Promise<number> {
  if (id === undefined) await queue.replayRequests().catch(() => undefined)
  else await queue.pushRequest({ request: new Request(`/count?id=${id}`, { method: 'POST' }) })
  return queue.size()
}
