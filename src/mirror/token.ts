// Random names made in the browser: of clients, mutations and write stamps. Works without a secure context.

/** 16 url-safe characters holding 96 random bits. */
export function randomToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
