// What the two dialects share: a command, its reply, and a parser that is told the command. The parser accepts
// nothing but a reply to that command, and anything else ends the connection.
import { maxValueBytes } from '../argument-checks.ts'
import type { MemcachedError } from './memcached-error.ts'

/** The longest value on the wire: copies have a version before it. */
export const maxItemBytes: number = maxValueBytes + 64

/** Reads a value, and begins its lifetime anew unless `exptime` is null. */
export interface GetCommand {
  readonly kind: 'get'
  readonly key: string
  /** Memcached's own time, see `toExptime`. */
  readonly exptime: number | null
}

/** Stores a value. `add`: where nothing is. `swap`: where `token` is. `set`: whatever is there. */
export interface PutCommand {
  readonly kind: 'add' | 'swap' | 'set'
  readonly key: string
  readonly exptime: number
  /** For `swap` alone; empty otherwise. */
  readonly token: string
  readonly value: Uint8Array
}

export type Command = GetCommand | PutCommand

interface Plain<Kind> {
  readonly kind: Kind
}

/** What a server said to a command. Only `get` gets `hit` and `miss`, only `swap` gets `conflict` and `missing`. */
export type Reply =
  | { readonly kind: 'hit'; readonly value: Buffer; readonly token: string }
  | Plain<'miss'>
  | Plain<'stored'>
  | Plain<'exists'>
  | Plain<'conflict'>
  | Plain<'missing'>
  | { readonly kind: 'refused'; readonly error: MemcachedError }

/** Reads one connection's replies. It is of no use after it has thrown. */
export interface Parser {
  /** Takes the next bytes of the connection, in whatever pieces they come. */
  push(chunk: Buffer): void
  /**
   * The reply to the oldest command, or undefined while it is not whole. It must be asked again with the same command
   * until it gives a reply.
   * @param opaque what the command was encoded with
   * @throws MemcachedError `protocol` for bytes that are no reply to this command
   */
  take(command: Command, opaque: string): Reply | undefined
  /** Bytes that no command has taken. */
  readonly unread: number
}

/** One way to say commands and to understand replies. */
export interface Dialect {
  readonly name: 'meta' | 'classic'
  /** All that goes before the value. Where there is a value, it follows, and `\r\n` after it. */
  encode(command: Command, opaque: string): string
  createParser(): Parser
}
