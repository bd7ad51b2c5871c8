// The cookie jar of one pretend browser. In Node nothing keeps cookies between requests, and a real browser's
// script may not see them: so the test server keeps its only browser's cookies itself.

export interface Jar {
  /** The value of a Cookie header, or undefined while the jar is empty. */
  header(): string | undefined
  /** Takes a Set-Cookie header. */
  take(setCookie: string): void
  clear(): void
}

export function createJar(): Jar {
  const cookies = new Map<string, string>()
  return {
    header: () => (cookies.size === 0 ? undefined : [...cookies].map((pair) => pair.join('=')).join('; ')),
    take(setCookie) {
      const [pair = '', ...attributes] = setCookie.split(';')
      const [name = '', ...value] = pair.split('=')
      const isCleared = attributes.some((attribute) => /^\s*max-age=0\s*$/i.test(attribute))
      if (isCleared) cookies.delete(name.trim())
      else cookies.set(name.trim(), value.join('='))
    },
    clear: () => cookies.clear(),
  }
}
