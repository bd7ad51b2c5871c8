// The fastest way in which JavaScript can ask memcached: pipelined on one raw socket, one write for each turn of the event
// loop, and no handling of errors. A faster client would give up safety.
import { connect } from 'node:net'

export interface Floor {
  /** `mg`: value, token, and the lifetime anew, in one trip. */
  read(key: string): Promise<{ readonly value: Buffer; readonly token: string }>
  /** `ms` with the token; whether it was stored. */
  swap(key: string, value: Buffer, token: string): Promise<boolean>
  /** `ms` in mode `add`; whether it was stored. */
  add(key: string, value: Buffer): Promise<boolean>
  close(): void
}

export function connectFloor(port: number): Floor {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  const waiting: ((line: string, value: Buffer | undefined) => void)[] = []
  let first = 0
  let unread: Buffer = Buffer.alloc(0)
  let isCorked = false
  let lines = ''

  socket.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    let at = 0
    for (;;) {
      const end = unread.indexOf('\r\n', at, 'latin1')
      if (end === -1) break
      const line = unread.toString('latin1', at, end)
      const bytes = line.startsWith('VA ') ? Number.parseInt(line.slice(3), 10) : -1
      if (bytes >= 0 && unread.length < end + bytes + 4) break
      const value = bytes >= 0 ? Buffer.from(unread.subarray(end + 2, end + 2 + bytes)) : undefined
      at = bytes >= 0 ? end + bytes + 4 : end + 2
      waiting[first++]?.(line, value)
      if (first === waiting.length) waiting.length = first = 0
    }
    unread = unread.subarray(at)
  })

  /** What is asked in one turn of the event loop leaves at once, its lines as one text. */
  function write(head: string, value?: Buffer): void {
    if (!isCorked) {
      isCorked = true
      socket.cork()
      process.nextTick(flush)
    }
    lines += head
    if (value === undefined) return
    socket.write(lines, 'latin1')
    socket.write(value)
    lines = '\r\n'
  }

  function flush(): void {
    isCorked = false
    socket.write(lines, 'latin1')
    lines = ''
    socket.uncork()
  }

  return {
    read: (key) =>
      new Promise((resolve) => {
        waiting.push((line, value = Buffer.alloc(0)) =>
          resolve({ value, token: line.slice(line.indexOf(' c') + 2) }),
        )
        write(`mg ${key} v c T900\r\n`)
      }),
    swap: (key, value, token) =>
      new Promise((resolve) => {
        waiting.push((line) => resolve(line.startsWith('HD')))
        write(`ms ${key} ${value.length} C${token} T900\r\n`, value)
      }),
    add: (key, value) =>
      new Promise((resolve) => {
        waiting.push((line) => resolve(line.startsWith('HD')))
        write(`ms ${key} ${value.length} ME T900\r\n`, value)
      }),
    close: () => void socket.destroy(),
  }
}
