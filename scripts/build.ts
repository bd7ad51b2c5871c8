// Builds dist/: one ES module for each door of package.json, the ready-made worker as one self-contained
// classic script, and the types. `workerScript` is also what the demo and the tests serve.
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type InlineConfig, type Plugin, build } from 'vite'

const root = join(import.meta.dirname, '..')
const stores = ['cookie', 'memcached', 'memory', 'sqlite', 'file', 'unstorage']
const doors = ['index', 'schema', 'worker', 'server', 'node', 'fastify', ...stores, 'vite', 'testing']
const workers = ['session', 'imported', 'mocked', 'retired'] as const
/** Packages that users install or that their platform has. Everything else goes into the bundle. */
const external = [/^node:/, 'idb', 'workbox-window', 'vite', /^msw(\/|$)/]

const shared: InlineConfig = {
  root,
  configFile: false,
  logLevel: 'warn',
  resolve: { conditions: ['session-mirror-source'] },
}

/** `terser` takes seconds longer than `true`, and saves two percent: for what is published. */
type Minify = boolean | 'terser'

export interface BundleOptions {
  readonly minify: Minify
  readonly format?: 'es' | 'iife'
  readonly external?: readonly string[]
  readonly plugins?: readonly Plugin[]
}

/** Bundles one source file and all that it imports into one script: the worker, the tests' pages, and what is weighed. */
export async function bundle(entry: string, options: BundleOptions): Promise<string> {
  const { minify, format = 'es', external: outside = [], plugins = [] } = options
  const result = await build({
    ...shared,
    plugins: [...plugins],
    build: {
      write: false,
      minify,
      terserOptions: { compress: { passes: 3, ecma: 2020, unsafe_arrows: true } },
      modulePreload: false,
      target: 'es2023',
      rolldownOptions: {
        input: entry,
        external: [...outside],
        output: { format, codeSplitting: false },
        preserveEntrySignatures: 'exports-only',
      },
    },
  })
  const [output] = [result].flat()
  if (output === undefined || !('output' in output)) throw new Error(`The bundle of ${entry} gave no output.`)
  return output.output[0].code
}

/** The text of the ready-made worker: an IIFE, which can be registered as a classic or as a module script. */
export function workerScript(minify: Minify = false): Promise<string> {
  return script('session', minify)
}

/** The text of one worker script: `session`, `imported` (our part for importScripts), `mocked` or `retired`. */
export function script(name: WorkerName, minify: Minify = false): Promise<string> {
  return bundle(join(root, `src/${name}-worker.ts`), { minify, format: 'iife', plugins: [withoutIdbExtras] })
}

/**
 * Our worker scripts have no use for idb's shortcuts (`db.get`) and asynchronous iterators, half a kilobyte of them. Bundlers
 * keep both, because idb adds them by a side effect. Fails when idb's text is another one, so that nothing goes unseen.
 */
const withoutIdbExtras: Plugin = {
  name: 'without-idb-extras',
  transform(code, id) {
    if (!id.endsWith('/idb/build/index.js')) return undefined
    const parts = code.split(/^replaceTraps\(\(oldTraps\) => \(\{\n[^]*?^\}\)\);\n/m)
    if (parts.length !== 3)
      throw new Error('idb has changed: look at what its shortcuts and iterators are now.')
    return { code: parts.join(''), map: null }
  },
}
type WorkerName = (typeof workers)[number]

async function buildDoors(dist: string): Promise<void> {
  const input = Object.fromEntries(doors.map((door) => [door, join(root, `src/${door}.ts`)]))
  await build({
    ...shared,
    build: {
      outDir: dist,
      emptyOutDir: false,
      minify: false,
      target: 'es2023',
      lib: { entry: input, formats: ['es'] },
      // By their names `client/load-part` knows its own.
      rolldownOptions: { external, output: { chunkFileNames: 'parts/session-mirror-[name]-[hash].js' } },
    },
  })
}

async function buildWorkers(dist: string, minify: Minify): Promise<void> {
  await Promise.all(
    workers.map(async (name) => {
      const isServedToUsers = name === 'session' || name === 'imported'
      writeFileSync(join(dist, `${name}-worker.js`), await script(name, isServedToUsers && minify))
    }),
  )
}

/** The program `session-mirror`, for `npx`. */
async function buildProgram(dist: string): Promise<void> {
  const file = join(dist, 'session-mirror.js')
  const options = { minify: false, external: ['node:crypto', 'node:process'] }
  writeFileSync(file, await bundle(join(root, 'src/bin/session-mirror.ts'), options))
  chmodSync(file, 0o755)
}

/** Empties the folder `dist` and writes all scripts into it, without types. */
export async function buildScripts(dist: string, minify: Minify = 'terser'): Promise<void> {
  rmSync(dist, { recursive: true, force: true })
  await buildDoors(dist)
  await buildWorkers(dist, minify)
  await buildProgram(dist)
}

if (import.meta.main) {
  await buildScripts(join(root, 'dist'))
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', '--force'], { cwd: root, stdio: 'inherit' })
}
