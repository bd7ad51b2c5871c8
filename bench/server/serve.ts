// Runs one contestant as a process of its own: serves the app on a free port of loopback, and tells its parent the port
// and, when it is asked, its CPU time.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { contestants } from './contestants.ts'
import type { Start } from './scenario.ts'

const start = JSON.parse(process.argv[2] ?? '{}') as Start // Written by main.ts.
const create = contestants[start.contestant]
if (create === undefined) throw new Error(`There is no contestant "${start.contestant}".`)
const server: Server = await create(start)
server.listen(0, '127.0.0.1')
await once(server, 'listening')

process.on('message', () =>
  process.send?.({ kind: 'cpu', usage: process.cpuUsage(), memory: process.memoryUsage() }),
)
process.on('disconnect', () => process.exit())
process.send?.({ kind: 'listening', port: (server.address() as AddressInfo).port })
