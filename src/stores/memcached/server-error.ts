// SERVER_ERROR: the server understood the operation and could not do it. It is one answer to one question, and
// the connection stays good; behind a proxy, one dead server must not end the connections to the others.
import type { Reply, Command } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'

const pattern = /^SERVER_ERROR(?: ([\x20-\x7e]*))?\r\n$/

/** The answer that a SERVER_ERROR line is, or undefined for any other line. @throws MemcachedError `protocol` */
export function parseServerError(line: string, command: Command): Reply | undefined {
  const match = pattern.exec(line)
  if (match === null) return undefined
  const [, reason = 'no reason'] = match
  const code = codeOf(reason)
  // No reading stores an object: this is the answer to something else.
  if (command.kind === 'get' && code !== 'server-error') throw unexpected(line)
  return { kind: 'refused', error: new MemcachedError(code, `${meanings[code]} It said: ${reason}.`) }
}

/** For whoever reads the log: what it means and what to do. */
const meanings = {
  'out-of-memory': 'Memcached has no room for this value: give it more (-m) and let it evict (no -M).',
  'too-large': 'This value is larger than Memcached takes: let it take a megabyte (-I 1m).',
  'server-error': 'Memcached, or a proxy before it, could not do this.',
}

function codeOf(reason: string): 'out-of-memory' | 'too-large' | 'server-error' {
  if (reason === 'out of memory storing object') return 'out-of-memory'
  return reason === 'object too large for cache' ? 'too-large' : 'server-error'
}
