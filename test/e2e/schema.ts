// The session of the end-to-end tests: one key of each kind.
import { defineSession, hidden, readable, writable } from 'session-mirror/schema'

export const schema = defineSession({
  user: readable<string>(),
  orders: readable<number>({ default: 0 }),
  theme: writable<'light' | 'dark'>({ default: 'light' }),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
  secret: hidden<string>(),
})
export type Schema = typeof schema
