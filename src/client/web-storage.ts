// The browser's small storages, where there are any.

/** Undefined outside of a browser, and where storage is forbidden: then reading the property throws. */
export function webStorage(name: 'localStorage' | 'sessionStorage'): Storage | undefined {
  try {
    return globalThis[name] ?? undefined
  } catch {
    return undefined
  }
}
