// What must not compile. `tsc -p test` is the test: an unused `@ts-expect-error` is an error.
import { expectTypeOf, test } from 'vitest'
import * as v from 'valibot'
import { type Session, SessionError } from 'session-mirror'
import type { ServerSession } from 'session-mirror/server'
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'

const schema = defineSession({
  user: readable<{ name: string }>(),
  theme: writable<'light' | 'dark'>({ default: 'light' }),
  cart: writable(v.array(v.string())),
  visits: writable.counter(),
  token: hidden<string>(),
  bare: v.number(),
})
declare const session: Session<typeof schema>
declare const server: ServerSession<typeof schema>

test('reads have the type of the schema, with undefined only where there is no default', () => {
  expectTypeOf<ReturnType<typeof read>>().toEqualTypeOf<{
    user: { name: string } | undefined
    theme: 'light' | 'dark'
    cart: string[] | undefined
    visits: number
  }>()
  expectTypeOf<ReturnType<typeof readOnServer>>().toEqualTypeOf<{
    token: string | undefined
    bare: number | undefined
  }>()
})

test('what a browser may not do is a compile error', () => {
  expectTypeOf(mustNotCompile).toBeFunction()
})

function read() {
  return {
    user: session.get('user'),
    theme: session.get('theme'),
    cart: session.get('cart'),
    visits: session.get('visits'),
  }
}
function readOnServer() {
  return { token: server.get('token'), bare: server.get('bare') }
}

function mustNotCompile(): void {
  // @ts-expect-error a hidden key does not exist in the browser
  session.get('token')
  // @ts-expect-error a bare validator is hidden
  session.get('bare')
  // @ts-expect-error a readable key has no setter in the browser
  session.set('user', { name: 'Eve' })
  // @ts-expect-error not a key
  session.set('nope', 1)
  // @ts-expect-error the wrong type
  session.set('theme', 'pink')
  // @ts-expect-error the wrong type by validator
  session.set('cart', [1])
  // @ts-expect-error a counter is incremented, not set
  session.set('visits', 3)
  // @ts-expect-error not a counter
  session.increment('theme')
  // @ts-expect-error an update returns the key's type
  session.update('theme', () => 7)
  // @ts-expect-error a readable key cannot be deleted by the browser
  session.delete('user')
  // @ts-expect-error the default must fit
  writable<'light' | 'dark'>({ default: 'pink' })
  // @ts-expect-error not a key, on the server either
  server.set('nope', 1)
  // @ts-expect-error the wrong type on the server
  server.set('user', 7)
  server.set('user', { name: 'Ada' })
  server.set('token', 'x')
  // @ts-expect-error an error has a sentence
  throw new SessionError('lost')
}
