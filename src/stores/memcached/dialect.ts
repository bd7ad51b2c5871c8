// What the two dialects share: a question, its answer, and a parser that is told the question. Knowing it, the
// parser accepts only what answers that question, and anything else ends the connection.
import { maxValueBytes } from '../store.ts'
import type { MemcachedError } from './memcached-error.ts'

/** The longest value on the wire: copies have a version before it. */
export const maxItemBytes: number = maxValueBytes + 64

/** Reads, and starts the lifetime anew unless `exptime` is null. */
export interface GetCommand {
  readonly kind: 'get'
  readonly key: string
  readonly exptime: number | null
}

/** `add`: where nothing is. `swap`: where `token` is. `set`: whatever is there. */
export interface PutCommand {
  readonly kind: 'add' | 'swap' | 'set'
  readonly key: string
  readonly exptime: number
  readonly token: string
  readonly value: Uint8Array
}

export type Command = GetCommand | PutCommand

interface Plain<Kind> {
  readonly kind: Kind
}

export type Reply =
  | { readonly kind: 'hit'; readonly value: Buffer; readonly token: string }
  | Plain<'miss'>
  | Plain<'stored'>
  | Plain<'exists'>
  | Plain<'conflict'>
  | Plain<'missing'>
  | { readonly kind: 'refused'; readonly error: MemcachedError }

export interface Parser {
  /** Takes the next bytes of the connection, in whatever pieces they come. */
  push(chunk: Buffer): void
  /**
   * The answer to the oldest question, or undefined while it is not whole.
   * Asked again with the same question until it gives one. `opaque` is what the question was encoded with.
   * @throws MemcachedError `protocol` for bytes that do not answer it
   */
  take(command: Command, opaque: string): Reply | undefined
  /** Bytes that no question has taken. */
  readonly unread: number
}

export interface Dialect {
  readonly name: 'meta' | 'classic'
  /** All before the value; the value and `\r\n` follow where there is one. */
  encode(command: Command, opaque: string): string
  createParser(): Parser
}
