import { defineSession, hidden, readable, writable } from '../../src/schema.ts'

export const schema = defineSession({
  user: readable<string>(),
  note: writable<string>({ default: '' }),
  visits: writable.counter(),
  secret: hidden<string>(),
})
export type Schema = typeof schema
