// The Vite plugin with real Vite: its dev server, its build in a process of its own, its preview.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type InlineConfig, type Logger, createLogger, createServer, preview } from 'vite'
import { describe, expect, test as base, vi } from 'vitest'
import { type SessionMirrorOptions, sessionMirror } from 'session-mirror/vite'

const checkout = join(import.meta.dirname, '../..')
const conditions = ['session-mirror-source', 'module', 'browser', 'development|production']

/** An app in a folder of its own. */
class App {
  readonly root = mkdtempSync(join(tmpdir(), 'session-mirror-vite-'))
  readonly #closing: (() => Promise<unknown>)[] = []

  constructor() {
    mkdirSync(join(this.root, 'node_modules'))
    // It has installed us, and msw.
    symlinkSync(checkout, join(this.root, 'node_modules/session-mirror'))
    symlinkSync(join(checkout, 'node_modules/msw'), join(this.root, 'node_modules/msw'))
    this.write('package.json', '{ "type": "module" }')
    this.write(
      'index.html',
      '<!doctype html><title>app</title><script type="module" src="/main.js"></script>',
    )
    this.write('main.js', 'document.title = "started"')
  }

  write(name: string, text: string): void {
    mkdirSync(join(this.root, name, '..'), { recursive: true })
    writeFileSync(join(this.root, name), text)
  }

  emitted(name = 'session-worker.js'): string {
    return readFileSync(join(this.root, 'dist', name), 'utf8')
  }

  /** Runs `close` when the test is over. */
  onClose(close: () => Promise<unknown>): void {
    this.#closing.push(close)
  }

  async remove(): Promise<void> {
    await Promise.all(this.#closing.map((close) => close()))
    rmSync(this.root, { recursive: true, force: true })
  }
}

const test = base.extend('app', ({}, { onCleanup }): App => {
  const app = new App()
  onCleanup(() => app.remove())
  return app
})

interface Served {
  get(path: string): Promise<{
    status: number
    type: string | null
    caching: string | null
    scope: string | null
    text: string
  }>
  readonly errors: string[]
}

async function ask(port: number, path: string): ReturnType<Served['get']> {
  const response = await fetch(`http://localhost:${port}${path}`)
  const { headers, status } = response
  const [type, caching, scope] = ['content-type', 'cache-control', 'service-worker-allowed'].map((name) =>
    headers.get(name),
  )
  return {
    status,
    type: type ?? null,
    caching: caching ?? null,
    scope: scope ?? null,
    text: await response.text(),
  }
}

async function serve(
  app: App,
  options: SessionMirrorOptions = {},
  config: InlineConfig = {},
): Promise<Served> {
  const errors: string[] = []
  const logger: Logger = { ...createLogger('silent'), error: (message) => void errors.push(message) }
  const server = await createServer({
    root: app.root,
    configFile: false,
    customLogger: logger,
    resolve: { conditions },
    server: { port: 0, host: 'localhost', hmr: false, ws: false },
    plugins: [sessionMirror(options)],
    ...config,
  })
  app.onClose(() => server.close())
  await server.listen()
  const address = server.httpServer?.address() as AddressInfo | undefined
  return { get: (path) => ask(address?.port ?? 0, path), errors }
}

/** In a process of its own: a dev server in this one leaves NODE_ENV behind. */
function build(app: App, config: string): string[] {
  const { NODE_ENV: _, VITEST: __, ...env } = process.env
  execFileSync(process.execPath, viteBuild(app, config), {
    cwd: app.root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return readdirSync(join(app.root, 'dist'), { recursive: true, encoding: 'utf8' }).toSorted()
}
/** What Node is told, for a build of the app with this configuration. */
function viteBuild(app: App, config: string): string[] {
  app.write(
    'vite.config.js',
    `import { sessionMirror } from ${JSON.stringify(join(checkout, 'src/vite.ts'))}
     export default { logLevel: 'error', resolve: { conditions: ${JSON.stringify(conditions)} }, ${config} }`,
  )
  return [join(checkout, 'node_modules/vite/bin/vite.js'), 'build', '--configLoader', 'native']
}

describe('in development', () => {
  test('the ready-made worker is at its url, with the headers that a worker needs', async ({ app }) => {
    const { get } = await serve(app)
    const script = await get('/session-worker.js?session=%2Fsession&api=%2Fapi%2F')
    expect(script).toMatchObject({ status: 200, type: 'text/javascript', caching: 'no-cache', scope: '/' })
    expect(script.text).toContain('skipWaiting')
    expect(script.text).not.toMatch(/^\s*(import|export)\b/m)
    // What is not ours is Vite's.
    expect((await get('/main.js')).text).toContain('started')
  })

  test('the worker is also served below another base, and by another name', async ({ app }) => {
    const { get } = await serve(app, { path: '/workers/mine.js' }, { base: '/shop/' })
    expect(await get('/shop/workers/mine.js')).toMatchObject({ status: 200, scope: '/shop/' })
    expect((await get('/workers/mine.js')).type).not.toBe('text/javascript')
  })

  test('a worker of your own is one script, and made anew when a file of it has changed', async ({ app }) => {
    app.write('src/name.ts', `export const name: string = 'first'`)
    app.write(
      'src/worker.ts',
      `import { installSessionWorker } from 'session-mirror/worker'\nimport { name } from './name'\ninstallSessionWorker()\nself.appName = name + DEFINED + import.meta.env.MODE + import.meta.env.VITE_THING`,
    )
    app.write('.env', 'VITE_THING=thing')
    const { get } = await serve(app, { worker: 'src/worker.ts' }, { define: { DEFINED: '"defined"' } })
    const { text } = await get('/session-worker.js')
    for (const part of ['first', 'defined', 'thing', 'test', 'respondWith']) expect(text).toContain(part)
    app.write('src/name.ts', `export const name: string = 'second'`)
    await vi.waitFor(async () => expect((await get('/session-worker.js')).text).toContain('second'), {
      timeout: 10_000,
    })
  })

  test('a mistake in the worker is an answer that says so, and is forgotten when it is mended', async ({
    app,
  }) => {
    app.write('src/worker.ts', 'const = 1')
    const { get, errors } = await serve(app, { worker: 'src/worker.ts' })
    const answer = await get('/session-worker.js')
    expect(answer).toMatchObject({ status: 500, type: 'text/plain; charset=utf-8' })
    expect(answer.text).toContain('worker.ts')
    expect(errors).toEqual([answer.text])
    app.write('src/worker.ts', 'self.mended = 1')
    expect(await get('/session-worker.js')).toMatchObject({ status: 200 })
  })

  test('the worker for tests holds msw’s worker, too', async ({ app }) => {
    const { get } = await serve(app, { msw: true })
    const { text } = await get('/session-worker.js')
    expect(text.indexOf('skipWaiting')).toBeLessThan(text.indexOf('INTEGRITY_CHECKSUM'))
    expect(text).toMatch(/handleRequest\(\{\s*request/)
  })
})

describe('in the build', () => {
  test('the worker is one file by its very name, minified, that imports nothing and knows it is a build', ({
    app,
  }) => {
    app.write(
      'src/worker.ts',
      `import { installSessionWorker } from 'session-mirror/worker'\ninstallSessionWorker()\nself.dev = import.meta.env.DEV ? 'in development' : 'in production'`,
    )
    const files = build(app, `base: '/shop/', plugins: [sessionMirror({ worker: 'src/worker.ts' })]`)
    expect(files.filter((name) => name.includes('worker'))).toEqual(['session-worker.js'])
    const text = app.emitted()
    expect(text).not.toMatch(/\bimport\b|\bexport\b/)
    expect(text).toContain('in production')
    expect(text).not.toContain('in development')
    expect(text.split('\n').length).toBeLessThan(10)
  })

  test('the build has the ready-made worker, and the preview its headers', async ({ app }) => {
    build(app, 'plugins: [sessionMirror()]')
    expect(app.emitted()).toContain('skipWaiting')
    const server = await preview({
      root: app.root,
      configFile: false,
      logLevel: 'silent',
      preview: { port: 0, host: 'localhost' },
      plugins: [sessionMirror()],
    })
    app.onClose(() => server.close())
    const { port } = server.httpServer.address() as AddressInfo
    expect(await ask(port, '/session-worker.js')).toMatchObject({
      status: 200,
      type: expect.stringContaining('text/javascript'),
      caching: 'no-cache',
      scope: '/',
    })
  })

  test('a build that watches is made anew for a change of the worker alone', async ({ app }) => {
    app.write('src/worker.ts', `self.version = 'first'`)
    const args = viteBuild(app, `plugins: [sessionMirror({ worker: 'src/worker.ts' })]`)
    const { NODE_ENV: _, VITEST: __, ...env } = process.env
    const child = spawn(process.execPath, [...args, '--watch'], { cwd: app.root, env, stdio: 'ignore' })
    app.onClose(async () => {
      child.kill()
      await once(child, 'exit')
    })
    await expect.poll(() => app.emitted()).toContain('first')
    // Saved again each second: the bundler looks at the file only some time after its first build.
    const saveAgain = (): string => {
      app.write('src/worker.ts', `self.version = 'second'`)
      return app.emitted()
    }
    await expect.poll(saveAgain, { interval: 1000 }).toContain('second')
  })

  test('plugins of the worker are run, those of the page are not', ({ app }) => {
    app.write('src/worker.ts', 'self.of = NAME')
    const naming = (name: string): string =>
      `{ name: '${name}', transform: (code) => code.replaceAll('NAME', '"${name}"') }`
    build(
      app,
      `plugins: [${naming('page')}, sessionMirror({ worker: 'src/worker.ts', plugins: () => [${naming('worker')}] })]`,
    )
    expect(app.emitted()).toMatch(/["'`]worker["'`]/)
    expect(app.emitted()).not.toMatch(/["'`]page["'`]/)
  })
})

describe('what cannot be', () => {
  const invalid = expect.objectContaining({ code: 'invalid-option' })
  test.each(['session-worker.js', '/worker.mjs', '/../worker.js', '/worker.js?x', '/.js', ''])(
    'the path %j is refused',
    (path) => {
      expect(() => sessionMirror({ path })).toThrow(invalid)
    },
  )
  test('an option that there is not is refused', () => {
    expect(() => sessionMirror({ api: ['/api/'] } as SessionMirrorOptions)).toThrow(/no option "api"/)
  })
  test('a worker of more than one file is refused', async ({ app }) => {
    app.write('src/logo.txt', 'x'.repeat(9000))
    app.write('src/worker.ts', `import logo from './logo.txt?url'\nself.logo = logo`)
    const { get } = await serve(app, { worker: 'src/worker.ts' })
    const { status, text } = await get('/session-worker.js')
    expect([status, text]).toEqual([500, expect.stringMatching(/one file.*logo/)])
  })
  test('msw together with a worker of your own is refused', () => {
    expect(() => sessionMirror({ msw: true, worker: 'src/worker.ts' })).toThrow(invalid)
  })
  test('a worker that is not there is refused', async ({ app }) => {
    await expect(serve(app, { worker: 'src/nowhere.ts' })).rejects.toThrow(/nowhere\.ts/)
  })
  test('a file of the same name in the public folder is refused', async ({ app }) => {
    app.write('public/session-worker.js', '// an old copy')
    await expect(serve(app)).rejects.toThrow(invalid)
  })
})
