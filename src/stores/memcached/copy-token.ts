// The token of a session with copies: what each of its servers said when it was read.
import type { ReadResult } from '../store.ts'

/** One copy: there with this CAS token, not there, or on a server that did not answer. */
export type CopyState =
  | { readonly kind: 'there'; readonly token: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'away' }

export interface CopyToken {
  /** The version of the newest copy. */
  readonly version: number
  /** Which copy that is: the leader of the next `replace`. */
  readonly leader: number
  /** All copies, in the order of their servers. */
  readonly copies: readonly CopyState[]
}

const missing = '-'
const away = '!'

/** What a read said about one copy. */
export function copyStateOf(read: ReadResult): CopyState {
  if (read.kind === 'hit') return { kind: 'there', token: read.token }
  return { kind: read.kind === 'miss' ? 'missing' : 'away' }
}

export function encodeCopyToken({ version, leader, copies }: CopyToken): string {
  return [version, leader, ...copies.map(encodeState)].join('.')
}

/** Undefined for a token that `encodeCopyToken` never made. */
export function parseCopyToken(token: string): CopyToken | undefined {
  const [matched, version, leader, states = ''] =
    /^(\d{1,15})\.(\d)((?:\.(?:\d{1,20}|-|!))+)$/.exec(token) ?? []
  if (matched === undefined) return undefined
  const copies = states.slice(1).split('.').map(parseState)
  return { version: Number(version), leader: Number(leader), copies }
}

function encodeState(state: CopyState): string {
  if (state.kind === 'there') return state.token
  return state.kind === 'missing' ? missing : away
}

function parseState(text: string): CopyState {
  if (text === missing) return { kind: 'missing' }
  return text === away ? { kind: 'away' } : { kind: 'there', token: text }
}
