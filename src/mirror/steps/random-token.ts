// Random names made in the browser: of clients, mutations and write stamps. Works without a secure context.
import { toBase64Url } from '../../protocol/base64url.ts'

/** 16 url-safe characters holding 96 random bits. */
export function randomToken(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(12)))
}
