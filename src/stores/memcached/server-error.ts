// SERVER_ERROR: the server understood the command and could not carry it out. It is one reply to one command, and
// the connection stays good: behind a proxy, one dead server must not end the connections to the others.
import type { Command, Reply } from './dialect.ts'
import { MemcachedError, unexpected } from './memcached-error.ts'

const pattern = /^SERVER_ERROR(?: ([\x20-\x7e]*))?\r\n$/

/**
 * The reply that a SERVER_ERROR line is, or undefined for any other line.
 * @throws MemcachedError `protocol` when it cannot be the reply to this command
 */
export function parseServerError(line: string, command: Command): Reply | undefined {
  const match = pattern.exec(line)
  if (match === null) return undefined
  const [, reason = 'no reason'] = match
  const code = codeOf(reason)
  // No `get` stores anything: this is the reply to something else.
  if (command.kind === 'get' && code !== 'server-error') throw unexpected(line)
  return { kind: 'refused', error: new MemcachedError(code, `${sentences[code]} It said: ${reason}.`) }
}

/** For whoever reads the log: what it means and what to do. */
const sentences = {
  'out-of-memory': 'Memcached has no room for this value: give it more (-m) and let it evict (no -M).',
  'too-large': 'This value is larger than Memcached takes: let it take a megabyte (-I 1m).',
  'server-error': 'Memcached, or a proxy before it, could not do this.',
}

function codeOf(reason: string): keyof typeof sentences {
  if (reason === 'out of memory storing object') return 'out-of-memory'
  return reason === 'object too large for cache' ? 'too-large' : 'server-error'
}
