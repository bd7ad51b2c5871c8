// A memcached by a name that has several addresses, of which the first is dead: it swallows what is sent, as a host that
// has gone does.
import { spawn } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { type Socket, connect, createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { memcachedStore } from '../../../src/memcached.ts'

/** Accepts nothing, because it never comes to it; the system answers until its queue is full. */
const deadServer = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.2', backlog: 1 }, () => {
    process.stdout.write(String(server.address().port), () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })
  })`

/** Its port, once nothing that asks for a connection gets one. */
async function startDead(): Promise<number> {
  const child = spawn(process.execPath, ['-e', deadServer], { stdio: ['ignore', 'pipe', 'inherit'] })
  const waiting: Socket[] = []
  onTestFinished(() => {
    for (const socket of waiting) socket.destroy()
    child.kill('SIGKILL')
  })
  const [said] = await once(child.stdout, 'data')
  const port = Number(said)
  do {
    const socket = connect(port, '127.0.0.2').on('error', () => undefined)
    waiting.push(socket)
    await new Promise((resolve) => setTimeout(resolve, 100))
  } while (waiting.at(-1)?.connecting === false)
  return port
}

test('the second address is asked when the first one is dead, within the default deadline', async () => {
  const port = await startDead()
  const live = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', () => socket.write('END\r\n'))
  }).listen(port, '127.0.0.3')
  await once(live, 'listening')
  const addresses = ['127.0.0.2', '127.0.0.3'].map((address) => ({ address, family: 4 }))
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((...parameters: unknown[]) => {
    const callback = parameters.at(-1) as (error: null, found: typeof addresses) => void // As Node calls it.
    callback(null, addresses)
  }) as never)
  const store = memcachedStore({ servers: `two.test:${port}`, dialect: 'classic' })
  onTestFinished(async () => {
    await store.close()
    lookup.mockRestore()
    live.close()
  })
  expect(await store.read('key', null)).toEqual({ kind: 'miss' })
})
