// One server of several, as a process of its own: `node session-server.ts <memcached> <secret>`. Carries out
// requests that come by IPC as an app's route would, and ends with the channel: it never outlives the test.
import { setTimeout as pause } from 'node:timers/promises'
import { memcachedStore } from '../../src/memcached.ts'
import { defineSession, writable } from '../../src/schema.ts'
import { createSessions } from '../../src/server.ts'
import type { CoreRequest } from '../../src/server.ts'

/** A request that may set one of the session's fifty keys, and counts a visit then. */
export interface Order {
  readonly id: number
  readonly cookie: string
  readonly write?: { readonly key: number; readonly value: number }
}
/** What the request saw at its end. */
export interface Done {
  readonly id: number
  /** The session's new cookie, if the answer sets one. */
  readonly cookie: string
  readonly values: readonly unknown[]
  readonly visits: number
  readonly revision: number
  /** What went wrong; empty: nothing. */
  readonly error: string
}

const names = Array.from({ length: 50 }, (_, index) => `key${index}`)
const schema = defineSession({
  ...Object.fromEntries(names.map((name) => [name, writable<number>()])),
  visits: writable.counter(),
})
const [servers = '', secret = ''] = process.argv.slice(2)
// A busy test machine must not look like a store that is away.
const store = memcachedStore({ servers, timeoutMilliseconds: 5000 })
const sessions = createSessions({ schema, secrets: [secret], store })

function toRequest(cookie: string): CoreRequest {
  return {
    method: 'POST',
    url: '/app',
    secure: false,
    host: 'localhost',
    header: (name) => ({ cookie, 'sec-fetch-site': 'same-origin' })[name],
    body: async () => '',
  }
}

async function carryOut({ id, cookie, write }: Order): Promise<Done> {
  const session = await sessions.load(toRequest(cookie))
  if (write !== undefined) {
    // The route's own work: meanwhile the others write.
    await pause(Math.random() * 10)
    session.set(names[write.key] as never, write.value as never) // One of the fifty, which hold numbers.
    session.increment('visits')
    await session.save()
  }
  const [line = ''] = sessions.answer(session, new Response()).headers.getSetCookie()
  const values = names.map((name) => session.get(name as never))
  const { revision } = session
  return { id, cookie: line.split(';')[0] ?? '', values, visits: session.get('visits'), revision, error: '' }
}

async function answer(order: Order): Promise<void> {
  const failed = { id: order.id, cookie: '', values: [], visits: 0, revision: 0 }
  const done = await carryOut(order).catch((error): Done => ({ ...failed, error: String(error) }))
  if (process.connected) process.send?.(done)
}

process.on('message', (order: Order) => void answer(order))
process.once('disconnect', () => void store.close())
