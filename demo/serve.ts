// `npm run demo`: the session server, the shop's API and Vite, in one process on one loopback port.
import { once } from 'node:events'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { createServer as createVite } from 'vite'
import { type SessionRequest, sessionErrors, sessionMiddleware } from 'session-mirror/node'
import { createSessions } from 'session-mirror/server'
import { type ShopSchema, schema } from './schema.ts'
import { answerApi } from './server/api.ts'
import { openBackend } from './server/backend.ts'
import { refuseForeignHost } from './server/hosts.ts'
import { demoSecret } from './server/secret.ts'
import { createStage, playsOffline } from './server/stage.ts'

const root = join(import.meta.dirname, '..')
const backend = await openBackend()
const secrets = [demoSecret()]
const sessions = createSessions({ schema, secrets, store: backend.store })
const withSession = sessionMiddleware(sessions)
const stage = createStage({ sessions, backend, secrets })

const server = createServer((request, response) => void answer(request, response))
const vite = await createVite({
  configFile: join(root, 'vite.config.ts'),
  root: join(root, 'demo'),
  appType: 'mpa',
  logLevel: 'warn',
  // Vite's reload messages go over this server, so that there is no second port.
  // Vite serves only the files of the page, not the rest of the repository.
  server: {
    middlewareMode: true,
    hmr: { server },
    fs: { allow: ['demo', 'src', 'node_modules'].map((folder) => join(root, folder)) },
  },
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (refuseForeignHost(request, response)) return
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (await stage(request, response)) return
  if (!path.startsWith('/api/') && path !== '/session' && !path.startsWith('/session/'))
    return vite.middlewares(request, response)
  if (playsOffline(request)) return void request.destroy()
  await withSession(request, response, (error) => void serveApi(request, response, error))
}

async function serveApi(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
  try {
    if (error !== undefined) throw error
    await answerApi(request as SessionRequest<ShopSchema>, response, sessions) // The middleware made it one.
  } catch (failure) {
    sessionErrors(failure, request, response, () => {
      console.error(failure)
      response.writeHead(500).end()
    })
  }
}

async function listen(to: Server): Promise<number> {
  const wanted = process.env['PORT']
  const last = wanted ? Number(wanted) : 5273
  for (let port = wanted ? Number(wanted) : 5173; port <= last; port++) {
    const listening = once(to, 'listening')
    to.listen(port, 'localhost')
    try {
      await listening
      const address = to.address()
      // With PORT=0 the system has chosen one.
      return typeof address === 'object' && address !== null ? address.port : port
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    }
  }
  console.error(
    wanted
      ? `Port ${wanted} is taken: choose another with PORT.`
      : 'There is no free port from 5173 to 5273.',
  )
  process.exit(1)
}

async function end(): Promise<void> {
  server.closeAllConnections()
  await Promise.allSettled([vite.close(), backend.close()])
  process.exit(0)
}
process.once('SIGINT', () => void end())
process.once('SIGTERM', () => void end())
// npm starts this in a shell, which does not pass a signal on when only npm's process is ended.
const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent) void end()
}, 500).unref()

const port = await listen(server)
console.log(`store: ${backend.description}`)
console.log(`ready http://localhost:${port}`)
