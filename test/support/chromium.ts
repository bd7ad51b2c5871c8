// Where Chromium is and how the tests and benchmarks start it.
import { existsSync } from 'node:fs'
import { isLong } from './counts.ts'

const usualPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const usualShellPaths = ['/usr/bin/chromium-headless-shell']

const firstOf = (paths: readonly string[]): string | undefined => paths.find((path) => existsSync(path))

/** Debian's Chromium, or the one that CHROMIUM_PATH names; bootstrap has installed it. */
export const chromiumPath = process.env['CHROMIUM_PATH'] ?? firstOf(usualPaths) ?? 'chromium'

const shellPath = (): string | undefined =>
  process.env['CHROMIUM_SHELL_PATH'] ??
  (process.env['CHROMIUM_PATH'] === undefined ? firstOf(usualShellPaths) : undefined)

/**
 * The same engine without a window: Debian's headless shell, or the one that CHROMIUM_SHELL_PATH names. A page, a worker or a
 * profile takes it less than half of the processor's time. It has no back-forward cache, no Background Sync and no profile
 * on disk: tests of these start `chromiumPath`. Chromium itself where there is no shell, and in `npm run test:long`.
 */
export const headlessShellPath = (isLong ? undefined : shellPath()) ?? chromiumPath

/** Root in a container, no GPU, and no calls home: they would only time out. */
export const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** For the shell: fewer processes, which saves another fifth. Pages and workers keep theirs, so that they can crash. */
export const headlessShellArguments = [
  ...chromiumArguments,
  '--in-process-gpu',
  '--disable-software-rasterizer',
  '--enable-features=NetworkServiceInProcess2',
]
