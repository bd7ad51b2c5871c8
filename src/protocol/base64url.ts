// Base64url (RFC 4648, section 5) without padding, in every runtime.

// Browsers, workers and Node have both (HTML standard, section 8.3); this room's `lib` knows neither DOM nor Node.
declare function btoa(binary: string): string
declare function atob(base64: string): string

/** The bytes as text of `A-Z a-z 0-9 - _`. */
export function toBase64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * The bytes of a text that `toBase64Url` made. Do NOT compare what it returns with a secret: different texts can stand for the
 * same bytes.
 * @throws DOMException `InvalidCharacterError` for any other text
 */
export function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
    character.charCodeAt(0),
  )
}
