// The parts of this library that a page loads when it has started.

interface PreloadError extends Event {
  readonly payload?: unknown
}

function hush(event: PreloadError): void {
  if (!String(event.payload).includes(partName)) return
  event.stopImmediatePropagation()
  event.preventDefault()
}

/** The files of such parts are called like this (`scripts/build.ts`), and bundlers of apps keep the names. */
const partName = 'session-mirror-'

/**
 * From now on a part of ours that cannot be loaded is nobody else's business. Vite reports every such failure as `vite:preloadError`,
 * upon which apps load the page again: that would be at every start. Who listened earlier than this hears of it all the same.
 */
export function hushPartErrors(): void {
  // Once for the page: the same listener again is none.
  globalThis.addEventListener?.('vite:preloadError', hush)
}

/**
 * What `load` imports; undefined when it cannot be loaded: no network, or a deploy has taken the file away.
 * @example const part = await loadPart(() => import('./register.ts'))
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load()
  } catch {
    return undefined
  }
}
