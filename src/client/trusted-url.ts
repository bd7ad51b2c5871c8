// A worker's url where the page's Content-Security-Policy asks for Trusted Types (`require-trusted-types-for 'script'`).
import type { TrustedUrl } from './worker-options.ts'

interface Policy {
  createScriptURL(url: string): TrustedUrl
}

/** Not in TypeScript's library: Trusted Types, section 2.3. */
interface WithTrustedTypes {
  readonly trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy
  }
}

/** Made once for each page: a second one of the same name is refused. */
let policy: Policy | undefined

/**
 * The url as a `TrustedScriptURL` of the policy "session-mirror", where the browser knows of those: it is the app's own setting, so
 * that nothing has to be checked. Where that policy is not allowed it stays what it is, for the app's default policy to judge.
 */
export function trusted(url: string | TrustedUrl): string | TrustedUrl {
  if (typeof url !== 'string') return url
  try {
    policy ??= (globalThis as WithTrustedTypes).trustedTypes?.createPolicy('session-mirror', {
      createScriptURL: (text) => text,
    })
  } catch {
    return url
  }
  return policy?.createScriptURL(url) ?? url
}
