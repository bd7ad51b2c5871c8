// Pages that the browser prerenders (Speculation Rules): nobody has opened them, and perhaps nobody will. What such a page writes,
// asks or locks waits; what it shows follows the other tabs, so that it is right when it is opened.

/** Not in TypeScript's library: Prerendering Revamped (WICG), section 3. Chromium only. */
type WithPrerendering = Document & { readonly prerendering?: boolean }

/** Whether this page is prerendered, and was not opened yet. */
export function isPrerendered(): boolean {
  const page: WithPrerendering | undefined = globalThis.document
  return page?.prerendering === true
}

/** Resolves when somebody opens this page; undefined for one that is open. */
export function untilOpened(): Promise<void> | undefined {
  if (!isPrerendered()) return undefined
  return new Promise((resolve) =>
    document.addEventListener('prerenderingchange', () => resolve(), { once: true }),
  )
}
