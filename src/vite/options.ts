// The plugin's options, checked before Vite starts.
import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { PluginOption } from 'vite'
import {
  type ChecksOf,
  type KnownOptions,
  callback,
  checkOptions,
  flag,
  text,
} from '../protocol/check-options.ts'
import { SessionError } from '../protocol/errors.ts'

/** The options of `sessionMirror()`. All have defaults. */
export interface SessionMirrorOptions {
  /** Your own worker, relative to Vite's root: it calls `installSessionWorker`. @default the ready-made worker */
  readonly worker?: string
  /** Where the script is served and emitted, below Vite's `base`; never hashed. @default '/session-worker.js' */
  readonly path?: string
  /** Plugins for the worker's own build, made anew for each: those of the page do not run there. @default none */
  readonly plugins?: () => PluginOption[]
  /** For tests: msw's worker in the same script, so that handlers in the page answer what our worker sends. @default false */
  readonly msw?: boolean
}

export interface ResolvedOptions extends SessionMirrorOptions {
  readonly path: string
  /** The file's name in the build: `path` without its slash. */
  readonly fileName: string
}

const pluginChecks: ChecksOf<SessionMirrorOptions> = {
  worker: text,
  path: text,
  plugins: callback,
  msw: flag,
}
const pluginOptions: KnownOptions = {
  checks: pluginChecks,
  hints: {
    filename: "write path, as in path: '/session-worker.js'",
    url: "write path, as in path: '/session-worker.js'",
    srcDir: 'write worker, the file of your own worker',
    sw: 'write worker, the file of your own worker',
  },
}

/** @throws SessionError `invalid-option` */
export function resolveOptions(options: SessionMirrorOptions): ResolvedOptions {
  checkOptions('sessionMirror', options, pluginOptions)
  const { path = '/session-worker.js', worker, msw = false } = options
  if (!/^\/[\w./-]*[\w-]\.js$/.test(path) || path.includes('..'))
    throw new SessionError('invalid-option', `path "${path}" must begin with "/" and end with ".js".`)
  if (msw && worker !== undefined)
    throw new SessionError(
      'invalid-option',
      'msw goes with the ready-made worker: a worker of your own takes `installSessionWorker({ fetch })`.',
    )
  return { ...options, path, fileName: path.slice(1) }
}

/** What can only be seen when Vite's own configuration is known. @throws SessionError `invalid-option` */
export function checkFiles(
  { worker, fileName }: ResolvedOptions,
  { root, publicDir }: { readonly root: string; readonly publicDir: string },
): void {
  if (publicDir !== '' && existsSync(join(publicDir, fileName)))
    throw new SessionError(
      'invalid-option',
      `${fileName} is in ${publicDir}, too: remove it there, or give another \`path\`. Only one can be served.`,
    )
  if (worker !== undefined && !existsSync(absolutePath(worker, root)))
    throw new SessionError('invalid-option', `worker "${worker}" is not in ${root}.`)
}

export function absolutePath(file: string, root: string): string {
  return isAbsolute(file) ? file : join(root, file)
}
