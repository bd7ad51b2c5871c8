// Registers the service worker, lazily and without ever reloading the page. A page without a worker does the
// same work itself, so nothing here may fail loudly.
import type { Workbox } from 'workbox-window'

export interface WorkerOptions {
  /** Where the worker's script is served; its folder is its scope unless the server allows more. */
  readonly url: string
  /** Paths (`/api/`) and origins (`https://api.example`) whose requests get the session attached. @default ['/api/'] */
  readonly api?: readonly string[]
  readonly scope?: string
}

export type WorkerState = 'none' | 'unsupported' | 'registering' | 'waiting' | 'controlling' | 'failed'

/** The script's url with its configuration behind it, so that a restarted worker knows it without asking. */
export function workerUrl({ url, api = ['/api/'] }: WorkerOptions, base: string): string {
  const query = new URLSearchParams({ session: base, api: api.join(',') })
  return `${url}?${query.toString()}`
}

/** Registers, and asks an active worker to take over a page that it does not control yet (a hard reload). */
export async function registerWorker(
  options: WorkerOptions,
  base: string,
  onState: (state: WorkerState) => void,
): Promise<void> {
  if (typeof navigator === 'undefined' || !('serviceWorker' in navigator)) return onState('unsupported')
  onState('registering')
  try {
    const { Workbox } = await import('workbox-window')
    const scope = options.scope === undefined ? {} : { scope: options.scope }
    const workbox = new Workbox(workerUrl(options, base), { updateViaCache: 'none', ...scope })
    await takeOver(workbox, onState)
  } catch {
    // Refused, blocked, wrong content type, no network: the page goes on without a worker, and shows that.
    onState('failed')
  }
}

async function takeOver(workbox: Workbox, onState: (state: WorkerState) => void): Promise<void> {
  const registration = await workbox.register({ immediate: true })
  const tell = (): void => onState(navigator.serviceWorker.controller === null ? 'waiting' : 'controlling')
  navigator.serviceWorker.addEventListener('controllerchange', tell)
  tell()
  registration?.active?.postMessage({ type: 'claim' })
}
