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
  /** Path of the script below Vite's `base`, in development and in the build. It never gets a hash. @default '/session-worker.js' */
  readonly path?: string
  /** Makes the plugins for one build of the worker. The page's plugins do not run there. @default none */
  readonly plugins?: () => PluginOption[]
  /** For tests: puts msw's worker into the same script, so that handlers in the page answer our worker's requests. @default false */
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
      'The option msw works only with the ready-made worker. In a worker of your own, call `installSessionWorker({ fetch })`.',
    )
  return { ...options, path, fileName: path.slice(1) }
}

/** Checks what depends on Vite's own configuration. @throws SessionError `invalid-option` */
export function checkFiles(
  { worker, fileName }: ResolvedOptions,
  { root, publicDir }: { readonly root: string; readonly publicDir: string },
): void {
  if (publicDir !== '' && existsSync(join(publicDir, fileName)))
    throw new SessionError(
      'invalid-option',
      `${fileName} is also in ${publicDir}, and only one of the two can be served: remove it there, or set another \`path\`.`,
    )
  if (worker !== undefined && !existsSync(absolutePath(worker, root)))
    throw new SessionError(
      'invalid-option',
      `There is no file "${worker}" in ${root}: the option worker is a path below Vite’s root.`,
    )
}

export function absolutePath(file: string, root: string): string {
  return isAbsolute(file) ? file : join(root, file)
}
