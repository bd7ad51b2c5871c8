// SERVER_ERROR: the server understood the operation and could not do it. It is one answer to one question, and
// the connection stays good; behind a proxy, one dead server must not end the connections to the others.
import type { Answer, Command } from './dialect.ts'
import { MemcachedError, surprise } from './failure.ts'

const pattern = /^SERVER_ERROR(?: ([\x20-\x7e]*))?\r\n$/

/** The answer that a SERVER_ERROR line is, or undefined for any other line. @throws MemcachedError `protocol` */
export function parseRefusal(line: string, command: Command): Answer | undefined {
  const match = pattern.exec(line)
  if (match === null) return undefined
  const [, reason = 'no reason'] = match
  const code = codeOf(reason)
  // No reading stores an object: this is the answer to something else.
  if (command.kind === 'get' && code !== 'server-error') throw surprise(line)
  return { kind: 'refused', error: new MemcachedError(code, `Memcached refused this operation: ${reason}.`) }
}

function codeOf(reason: string): 'out-of-memory' | 'too-large' | 'server-error' {
  if (reason === 'out of memory storing object') return 'out-of-memory'
  return reason === 'object too large for cache' ? 'too-large' : 'server-error'
}
