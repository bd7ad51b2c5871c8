// Builds dist/: one ES module for each door of package.json, the ready-made worker as one self-contained
// classic script, and the types. `workerScript` is also what the demo and the tests serve.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type InlineConfig, type Plugin, build } from 'vite'

const root = join(import.meta.dirname, '..')
const stores = ['cookie', 'memcached', 'memory', 'sqlite', 'file', 'unstorage']
const doors = ['index', 'schema', 'worker', 'server', 'node', 'fastify', ...stores, 'vite', 'testing']
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
  return bundle(join(root, 'src/session-worker.ts'), { minify, format: 'iife' })
}

async function buildDoors(): Promise<void> {
  const input = Object.fromEntries(doors.map((door) => [door, join(root, `src/${door}.ts`)]))
  await build({
    ...shared,
    build: {
      outDir: join(root, 'dist'),
      emptyOutDir: false,
      minify: false,
      target: 'es2023',
      lib: { entry: input, formats: ['es'] },
      rolldownOptions: { external, output: { chunkFileNames: 'parts/[name]-[hash].js' } },
    },
  })
}

/** What is served in the worker's place to take it back from every browser. */
export function retiredScript(): Promise<string> {
  return bundle(join(root, 'src/retired-worker.ts'), { minify: false, format: 'iife' })
}

/** The session's half of a worker for tests with msw, as text. */
export function mockedScript(): Promise<string> {
  return bundle(join(root, 'src/mocked-worker.ts'), { minify: false, format: 'iife' })
}

async function buildWorker(): Promise<void> {
  const { writeFileSync } = await import('node:fs')
  writeFileSync(join(root, 'dist/session-worker.js'), await workerScript())
  writeFileSync(join(root, 'dist/retired-worker.js'), await retiredScript())
  writeFileSync(join(root, 'dist/mocked-worker.js'), await mockedScript())
}

/** The program `session-mirror`, for `npx`. */
async function buildProgram(): Promise<void> {
  const { chmodSync, writeFileSync } = await import('node:fs')
  const file = join(root, 'dist/session-mirror.js')
  const options = { minify: false, external: ['node:crypto', 'node:process'] }
  writeFileSync(file, await bundle(join(root, 'src/bin/session-mirror.ts'), options))
  chmodSync(file, 0o755)
}

if (import.meta.main) {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  await buildDoors()
  await buildWorker()
  await buildProgram()
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', '--force'], { cwd: root, stdio: 'inherit' })
}
