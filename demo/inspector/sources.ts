// Asks for what the inspector shows: reads the database, asks the worker, and asks the server about record and store.
import { pageFetch } from '../session.ts'
import type { Row } from './panel.ts'
import type { ServerReport, WorkerReply } from './rows.ts'

/** Every record of the session's database, as it is on disk. */
export async function readIndexedDb(): Promise<readonly Row[]> {
  const known = await indexedDB.databases()
  if (!known.some(({ name }) => name === 'session-mirror:/session')) return []
  const database = await asPromise(indexedDB.open('session-mirror:/session'))
  try {
    const rows: Row[] = []
    for (const store of database.objectStoreNames) {
      const objects = database.transaction(store).objectStore(store)
      const [keys, values] = await Promise.all([asPromise(objects.getAllKeys()), asPromise(objects.getAll())])
      keys.forEach((key, index) =>
        rows.push({ name: `${store} / ${String(key)}`, value: short(values[index]) }),
      )
    }
    return rows
  } catch (error) {
    return [{ name: 'not readable', value: String(error), tone: 'bad' }]
  } finally {
    database.close()
  }
}

/** What the controlling worker says about itself. Undefined when there is no worker, or when it does not answer. */
export function readWorker(): Promise<WorkerReply> {
  const { controller } = navigator.serviceWorker ?? { controller: null }
  if (!controller) return Promise.resolve({ state: 'none' })
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const timer = setTimeout(() => resolve({ state: 'silent' }), 1000)
    port1.addEventListener('message', ({ data }) => {
      clearTimeout(timer)
      port1.close()
      resolve({ state: controller.state, report: data })
    })
    port1.start()
    controller.postMessage({ type: 'report' }, [port2])
  })
}

/** Asks a route of the demo that reads the session without loading, touching or renewing it. */
export async function readServer(): Promise<ServerReport | undefined> {
  try {
    const response = await pageFetch('/demo/inspect')
    return response.ok ? ((await response.json()) as ServerReport) : undefined // The demo's own server wrote it.
  } catch {
    return undefined // Offline: the panels say so.
  }
}

function asPromise<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB failed.')))
  })
}

function short(value: unknown): string {
  const text = JSON.stringify(value, (key, inner: unknown) =>
    key === 'parking' && inner !== null
      ? '(a key)'
      : inner instanceof ArrayBuffer
        ? `(${inner.byteLength} encrypted bytes)`
        : inner,
  )
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}
