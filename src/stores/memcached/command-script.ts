// What is said on a new connection before any operation: the password, and a question that only those who speak the
// dialect understand. The question comes before any value, because a server that does not understand the line before
// a value would take the value, which may come from a user, for commands. Pure.
import { classic } from './classic.ts'
import type { Dialect } from './dialect.ts'
import { MemcachedError, quote, unexpected } from './memcached-error.ts'
import { meta } from './meta.ts'

/**
 * `say`: send this and wait for one line. `ready`: operations may begin. `again`: close this connection and begin the
 * script of this dialect on another one. `fail`: this server is of no use.
 */
export type ScriptStep =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'ready'; readonly dialect: Dialect }
  | { readonly kind: 'again'; readonly dialect: 'classic' }
  | { readonly kind: 'fail'; readonly error: MemcachedError }

const probes = {
  meta: 'mg session-mirror:probe Oprobe\r\n',
  classic: 'gets session-mirror:probe\r\n',
}

const say = (text: string): ScriptStep => ({ kind: 'say', text })
const fail = (error: MemcachedError): ScriptStep => ({ kind: 'fail', error })

/** The script of one connection. */
export class CommandScript {
  readonly #dialect: 'auto' | 'meta' | 'classic'
  readonly #login: string | undefined
  /** The dialect that is tried first. */
  readonly #first: 'meta' | 'classic'
  #asked: 'login' | 'meta' | 'classic'

  /** @param login `user password`, one character for each byte; undefined: there is nothing to sign in with */
  constructor(dialect: 'auto' | 'meta' | 'classic', login: string | undefined) {
    this.#dialect = dialect
    this.#login = login
    this.#first = dialect === 'classic' ? 'classic' : 'meta'
    this.#asked = login === undefined ? this.#first : 'login'
  }

  /** The step that an open connection begins with. */
  begin(): ScriptStep {
    const login = this.#login
    if (login === undefined) return say(probes[this.#first])
    // Expired at once, so that a server that asks for no password does not store it.
    return say(`set login 0 -1 ${login.length}\r\n${login}\r\n`)
  }

  /** The step after the server's line, which has its end. */
  next(line: string): ScriptStep {
    if (this.#asked === 'login') {
      if (line !== 'STORED\r\n') return fail(refusedLogin(line))
      this.#asked = this.#first
      return say(probes[this.#first])
    }
    if (line.startsWith('CLIENT_ERROR unauthenticated')) return fail(refusedLogin(line))
    if (this.#asked === 'meta') return this.#afterMeta(line)
    // A proxy may have lost the one server that the probe belongs to; it speaks the dialect all the same.
    const isClassic = /^(END|SERVER_ERROR[\x20-\x7e]*)\r\n$/.test(line)
    return isClassic ? { kind: 'ready', dialect: classic } : fail(unexpected(line))
  }

  /** The step after the server has closed the connection. */
  afterClose(error: MemcachedError): ScriptStep {
    // twemproxy closes the connection on a command that it does not know.
    if (this.#dialect === 'auto' && this.#asked === 'meta') return { kind: 'again', dialect: 'classic' }
    return fail(error)
  }

  #afterMeta(line: string): ScriptStep {
    if (/^(EN|HD) Oprobe\r\n$/.test(line)) return { kind: 'ready', dialect: meta }
    if (this.#dialect === 'meta') return fail(notMeta(line))
    this.#asked = 'classic'
    const isRefusal = /^(ERROR|CLIENT_ERROR|SERVER_ERROR|EN\r\n)/.test(line)
    return isRefusal ? say(probes.classic) : fail(unexpected(line))
  }
}

function refusedLogin(line: string): MemcachedError {
  return new MemcachedError('login', `Memcached refused username and password: ${line.trim().slice(0, 80)}.`)
}

function notMeta(line: string): MemcachedError {
  return new MemcachedError(
    'protocol',
    `Memcached does not speak the meta dialect, it said ${quote(line)}: set dialect to 'auto' or 'classic'.`,
  )
}
