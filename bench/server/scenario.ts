// What every contestant of `bench -- server` does: one small app with three routes, and the data of its sessions.

/** About 1 KB as JSON, as much as the session of a shop holds. */
export const profile: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => [`field${index}`, `value ${index} `.padEnd(64, 'x')]),
)

/** `POST /sign-in` begins a session with `profile`; `GET /` reads it; `POST /write` sets one key. */
export const routes = { signIn: '/sign-in', read: '/', write: '/write' } as const

/** The answer to `GET /`: a value that only the session has, or "nobody". */
export function greeting(data: Readonly<Record<string, string>> | undefined): string {
  return data === undefined ? 'nobody' : `hello ${data['field7'] ?? ''}`
}

/** The order to start a contestant, as JSON on its command line. */
export interface Start {
  readonly contestant: string
  readonly memcached: string
  /** The checkout whose sources are measured: this one, or another one to compare two versions. */
  readonly root: string
}
