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
/** What users install, or what their platform brings. Everything else is in the bundle. */
const external = [/^node:/, 'idb', 'workbox-window', 'vite', /^msw(\/|$)/]

const shared: InlineConfig = {
  root,
  configFile: false,
  logLevel: 'warn',
  resolve: { conditions: ['session-mirror-source'] },
}

export interface BundleOptions {
  readonly minify: boolean
  readonly format?: 'es' | 'iife'
  readonly external?: readonly string[]
  readonly plugins?: readonly Plugin[]
}

/** One file of sources, with all that it imports, as one script: for the worker, the tests' pages and their sizes. */
export async function bundle(entry: string, options: BundleOptions): Promise<string> {
  const { minify, format = 'es', external: outside = [], plugins = [] } = options
  const result = await build({
    ...shared,
    plugins: [...plugins],
    build: {
      write: false,
      minify,
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

/** The ready-made worker as text: an IIFE, which registers as a classic and as a module script. */
export function workerScript(minify = true): Promise<string> {
  return script('session', minify)
}

/** One of the worker scripts, each one file: `session`, `imported` (our part for importScripts), `mocked`, `retired`. */
export function script(name: WorkerName, minify = false): Promise<string> {
  return bundle(join(root, `src/${name}-worker.ts`), { minify, format: 'iife' })
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
      rolldownOptions: { external, output: { chunkFileNames: 'parts/[name]-[hash].js' } },
    },
  })
}

async function buildWorkers(dist: string): Promise<void> {
  for (const name of workers) {
    // oxlint-disable-next-line no-await-in-loop -- four
    writeFileSync(
      join(dist, `${name}-worker.js`),
      await script(name, name !== 'mocked' && name !== 'retired'),
    )
  }
}

/** The program `session-mirror`, for `npx`. */
async function buildProgram(dist: string): Promise<void> {
  const file = join(dist, 'session-mirror.js')
  const options = { minify: false, external: ['node:crypto', 'node:process'] }
  writeFileSync(file, await bundle(join(root, 'src/bin/session-mirror.ts'), options))
  chmodSync(file, 0o755)
}

/** All scripts, without types, into the folder `dist`, which is made anew. */
export async function buildScripts(dist: string): Promise<void> {
  rmSync(dist, { recursive: true, force: true })
  await buildDoors(dist)
  await buildWorkers(dist)
  await buildProgram(dist)
}

if (import.meta.main) {
  await buildScripts(join(root, 'dist'))
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', '--force'], { cwd: root, stdio: 'inherit' })
}
