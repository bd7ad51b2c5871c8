// What an app's own function throws is the app's to see, and must break nothing here.

/** Tells the error handler of the page, of the worker, or of the process. */
export function tellError(error: unknown): void {
  if (typeof reportError === 'function') return reportError(error)
  // Node, pretended browsers, and engines from before 2022.
  queueMicrotask(() => {
    throw error
  })
}
