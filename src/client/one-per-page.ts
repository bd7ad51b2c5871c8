// Whether this page has a session already: two of one base do all work twice, and hot reloading makes one more with each save.

/** The sessions that are open in this page, each with its base. */
const open = new Map<object, string>()

/** Notes a session of `base`, until it is closed. A second one is noticed in the console: both work, at twice the cost. */
export function noteOpened(base: string): { close(): void } {
  // Only where there is a page: tests open many sessions in one process.
  if (typeof document === 'undefined') return { close: () => undefined }
  if ([...open.values()].includes(base))
    // oxlint-disable-next-line no-console -- the app works with this mistake, only slower: without a word nobody finds it
    console.warn(
      `session-mirror: this page has a session of ${base} already, which was not closed. Call createSession once, in a module of its own, and import what it gives. With hot reloading: import.meta.hot?.dispose(() => session.close()).`,
    )
  const noted = { close: () => void open.delete(noted) }
  open.set(noted, base)
  return noted
}
