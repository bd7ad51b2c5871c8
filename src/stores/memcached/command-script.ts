// What is said on a new connection before any operation: the password, and a question that only the dialect's
// speakers understand. It is asked before any value is sent, because a server that does not understand the line
// before a value would take the value, which may come from a user, for commands. Pure.
import { classic } from './classic.ts'
import type { Dialect } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'
import { meta } from './meta.ts'

/** What we say next, or how it ended; `again`: on another connection. */
export type ScriptStep =
  | { readonly say: string }
  | { readonly ready: Dialect }
  | { readonly again: 'classic' }

export interface CommandScript {
  readonly begin: ScriptStep
  /** The server's line, with its end. */
  next(line: string): ScriptStep | MemcachedError
  /** What a connection that is closed now means, if it is not a failure. */
  readonly closed: ScriptStep | undefined
}

const probe = {
  meta: 'mg session-mirror:probe Oprobe\r\n',
  classic: 'gets session-mirror:probe\r\n',
}

/** `login`: `user password`, one letter for each byte. */
export function createCommandScript(
  dialect: 'auto' | 'meta' | 'classic',
  login: string | undefined,
): CommandScript {
  const first = dialect === 'classic' ? 'classic' : 'meta'
  let asked: 'login' | 'meta' | 'classic' = first
  if (login !== undefined) asked = 'login'

  function next(line: string): ScriptStep | MemcachedError {
    if (asked === 'login') {
      if (line !== 'STORED\r\n') return refusedLogin(line)
      asked = first
      return { say: probe[first] }
    }
    if (line.startsWith('CLIENT_ERROR unauthenticated')) return refusedLogin(line)
    if (asked === 'meta') {
      if (/^(EN|HD) Oprobe\r\n$/.test(line)) return { ready: meta }
      if (dialect === 'meta') return notMeta(line)
      asked = 'classic'
      return /^(ERROR|CLIENT_ERROR|SERVER_ERROR|EN\r\n)/.test(line)
        ? { say: probe.classic }
        : unexpected(line)
    }
    // A proxy may have lost the one server that the probe belongs to; it speaks the dialect all the same.
    return /^(END|SERVER_ERROR[\x20-\x7e]*)\r\n$/.test(line) ? { ready: classic } : unexpected(line)
  }

  return {
    // Gone at once, should the server ask for no password and store this.
    begin: { say: login === undefined ? probe[first] : `set login 0 -1 ${login.length}\r\n${login}\r\n` },
    next,
    get closed() {
      // twemproxy closes the connection on a command that it does not know.
      return dialect === 'auto' && asked === 'meta' ? ({ again: 'classic' } as const) : undefined
    },
  }
}

function refusedLogin(line: string): MemcachedError {
  return new MemcachedError('login', `Memcached refused username and password: ${line.trim().slice(0, 80)}.`)
}

function notMeta(line: string): MemcachedError {
  const said = JSON.stringify(line.slice(0, 80))
  return new MemcachedError('protocol', `Memcached does not speak the meta dialect: it said ${said}.`)
}
