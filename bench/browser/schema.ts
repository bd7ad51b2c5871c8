import { defineSession, readable, writable } from '../../src/schema.ts'

export const schema = defineSession({ note: writable<string>({ default: '' }), ballast: readable<string>() })
