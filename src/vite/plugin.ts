// `sessionMirror()`: serves the session's service worker in development and emits it in the build, at one fixed url.
import type { ServerResponse } from 'node:http'
import type { Connect, Plugin, ResolvedConfig, ViteDevServer } from 'vite'
import { SessionError } from '../protocol/errors.ts'
import { type ResolvedOptions, type SessionMirrorOptions, checkFiles, resolveOptions } from './options.ts'
import { type Script, buildScript } from './script.ts'

/**
 * Serves and emits the worker at `/session-worker.js`. Give `createSession({ worker: '/session-worker.js' })` the same url.
 * @throws SessionError `invalid-option`
 * @example
 * // vite.config.ts
 * export default defineConfig({ plugins: [sessionMirror()] })
 */
export function sessionMirror(options: SessionMirrorOptions = {}): Plugin {
  const resolved = resolveOptions(options)
  let config: ResolvedConfig | undefined

  function known(): ResolvedConfig {
    if (config === undefined) throw new SessionError('invalid-option', 'Vite has not been configured yet.')
    return config
  }

  return {
    name: 'session-mirror',
    // A worker is for browsers: builds for a server have none.
    applyToEnvironment: ({ name }) => name === 'client',
    configResolved(final) {
      checkFiles(resolved, final)
      config = final
    },
    configureServer(server) {
      server.middlewares.use(serving(resolved, known(), server))
    },
    configurePreviewServer(server) {
      const path = pathBelow(known(), resolved)
      server.middlewares.use((request, response, next) => {
        if (isFor(request, path)) setHeaders(response, known())
        next()
      })
    },
    async generateBundle() {
      const { text, files } = await buildScript(resolved, known())
      // For `vite build --watch`: Vite itself watches only the page's files.
      for (const file of files) this.addWatchFile(file)
      this.emitFile({ type: 'asset', fileName: resolved.fileName, source: text })
    },
  }
}

function serving(
  options: ResolvedOptions,
  config: ResolvedConfig,
  { watcher }: ViteDevServer,
): Connect.NextHandleFunction {
  const path = pathBelow(config, options)
  let made: Promise<Script> | undefined
  let files: ReadonlySet<string> | undefined = new Set()

  async function make(): Promise<Script> {
    files = undefined
    const script = await buildScript(options, config)
    files = new Set(script.files)
    watcher.add(script.files)
    return script
  }

  const forget = (file: string): void => {
    // While the script is being made, its files are not known yet. No page is reloaded, because the browser looks for a
    // new script at each navigation.
    if (files === undefined || files.has(file)) made = undefined
  }
  watcher.on('change', forget)
  watcher.on('unlink', forget)

  async function answer(response: ServerResponse): Promise<void> {
    try {
      made ??= make()
      const { text } = await made
      setHeaders(response, config)
      response.end(text)
    } catch (error) {
      // The next request builds it again, because the mistake may be mended by then.
      made = undefined
      const message = `The worker at ${path} cannot be built: ${error instanceof Error ? error.message : String(error)}`
      config.logger.error(message)
      const fields = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
      response.writeHead(500, fields).end(message)
    }
  }

  return (request, response, next) => {
    if (isFor(request, path)) void answer(response)
    else next()
  }
}

/** A relative base (`./`) is the root in development. */
function pathBelow({ base }: ResolvedConfig, { fileName }: ResolvedOptions): string {
  const { pathname } = new URL(base, 'http://localhost/')
  return `${pathname.endsWith('/') ? pathname : `${pathname}/`}${fileName}`
}

function isFor({ url = '', method }: Connect.IncomingMessage, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && url.split('?')[0] === path
}

function setHeaders(response: ServerResponse, { base }: ResolvedConfig): void {
  response.setHeader('content-type', 'text/javascript')
  response.setHeader('cache-control', 'no-cache')
  response.setHeader('service-worker-allowed', new URL(base, 'http://localhost/').pathname)
}
