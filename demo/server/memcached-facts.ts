// Asks memcached for the figures that the inspector shows, over a connection of its own, so that asking changes no
// session.
import { connect } from 'node:net'

export interface MemcachedFacts {
  /** Bytes of the item, and seconds until it expires; null when there is no such item. */
  readonly item: { readonly bytes: number; readonly ttlSeconds: number } | null
  readonly items: number
  readonly bytes: number
  readonly upSeconds: number
}

/** The answer to one command, or undefined when the server does not answer within 200 ms. */
export function ask(address: string, command: string): Promise<string | undefined> {
  const [host = '127.0.0.1', port = '11211'] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host)
    let text = ''
    const finish = (answer: string | undefined): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(200, () => finish(undefined))
    socket.once('error', () => finish(undefined))
    socket.once('connect', () => socket.write(command))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (/(^|\r\n)(END|EN|HD[^\r]*|VERSION[^\r]*|ERROR)\r\n$/.test(text)) finish(text)
    })
  })
}

/** `mg` without `T` reads an item's size and time without extending its life. */
export async function factsOf(address: string, key: string | null): Promise<MemcachedFacts | null> {
  const [stats, item] = await Promise.all([
    ask(address, 'stats\r\n'),
    key === null ? Promise.resolve(undefined) : ask(address, `mg ${key} t s\r\n`),
  ])
  if (stats === undefined) return null
  const number = (name: string): number => Number(new RegExp(`STAT ${name} (\\d+)`).exec(stats)?.[1] ?? 0)
  const [, ttl, bytes] = /^HD t(-?\d+) s(\d+)/.exec(item ?? '') ?? []
  return {
    item: bytes === undefined ? null : { bytes: Number(bytes), ttlSeconds: Number(ttl) },
    items: number('curr_items'),
    bytes: number('bytes'),
    upSeconds: number('uptime'),
  }
}
