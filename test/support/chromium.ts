// Where Chromium is and how the tests and benchmarks start it.
import { existsSync } from 'node:fs'

const usualPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Debian's Chromium, or the one that CHROMIUM_PATH names; bootstrap has installed it. */
export const chromiumPath =
  process.env['CHROMIUM_PATH'] ?? usualPaths.find((path) => existsSync(path)) ?? 'chromium'

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
