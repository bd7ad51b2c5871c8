// Builds the worker's script: one file that imports nothing, so that it can be registered as a classic or as a module
// script. Vite builds it, with the app's settings for resolving, defining and minifying.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, type InlineConfig, type Plugin, type ResolvedConfig, build } from 'vite'
import { mockWorkerScript } from '../testing/mock-worker.ts'
import { type ResolvedOptions, absolutePath } from './options.ts'

export interface Script {
  readonly text: string
  /** The files that it was made of. When one of them changes, the script is made again. */
  readonly files: readonly string[]
}

const entry = 'virtual:session-mirror-worker'
const readyMade = `import { installReadyMade } from 'session-mirror/worker'\n`
const sources = {
  plain: `${readyMade}installReadyMade()`,
  // `handleRequest` is a global function of msw's script, which is in the same file.
  msw: `${readyMade}installReadyMade((request, event) => handleRequest({ request, clientId: event?.clientId ?? '' }))`,
}

/** @throws what Vite's build throws, and SessionError `unsupported` for an msw that is not known */
export async function buildScript(options: ResolvedOptions, config: ResolvedConfig): Promise<Script> {
  const built = await bundle(options, config)
  if (options.msw !== true) return built
  const require = createRequire(join(config.root, 'package.json'))
  const file = require.resolve('msw/mockServiceWorker.js')
  return { text: mockWorkerScript(built.text, readFileSync(file, 'utf8')), files: [...built.files, file] }
}

async function bundle(options: ResolvedOptions, config: ResolvedConfig): Promise<Script> {
  const { worker, plugins, msw = false } = options
  const input = worker === undefined ? entry : absolutePath(worker, config.root)
  const own = worker === undefined ? [virtual(msw ? sources.msw : sources.plain)] : []
  const result = await build({
    ...inherited(config),
    plugins: [...own, ...(plugins?.() ?? [])],
    build: to(input, config),
  })
  const [first] = [result].flat()
  if (first === undefined || !('output' in first)) throw new Error(`The build of ${input} gave no output.`)
  const [chunk, ...others] = first.output
  if (others.length > 0)
    throw new Error(
      `A worker must be one file, but the build of ${input} also made ${others.map(({ fileName }) => fileName).join(', ')}: import nothing there that becomes a file of its own.`,
    )
  return { text: chunk.code, files: chunk.moduleIds.filter((id) => !id.startsWith('\0')) }
}

/** The app's settings for its sources, which hold for its worker, too. Its plugins are made for pages and are left out. */
function inherited(config: ResolvedConfig): InlineConfig {
  const { root, mode, define, envDir, envPrefix, resolve } = config
  return {
    root,
    mode,
    envDir,
    ...(envPrefix === undefined ? {} : { envPrefix }),
    configFile: false,
    logLevel: 'silent',
    publicDir: false,
    ...(define === undefined ? {} : { define }),
    resolve: { alias: resolve.alias, conditions: resolve.conditions, extensions: resolve.extensions },
  }
}

function to(input: string, { command, build: wanted }: ResolvedConfig): BuildOptions {
  return {
    write: false,
    modulePreload: false,
    target: wanted.target,
    minify: command === 'build' ? wanted.minify : false,
    // A map beside the script would be one more file to serve.
    sourcemap: command === 'build' ? false : 'inline',
    rolldownOptions: { input, output: { format: 'iife', codeSplitting: false } },
  }
}

function virtual(source: string): Plugin {
  return {
    name: 'session-mirror:worker',
    resolveId: (id) => (id === entry ? `\0${entry}` : undefined),
    load: (id) => (id === `\0${entry}` ? source : undefined),
  }
}
