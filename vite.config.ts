// The demo's page, the tests of all rooms, and one condition: `session-mirror` means this checkout's sources.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { playwright } from '@vitest/browser-playwright'
import { msw } from 'msw/vite'
import { type TestProjectInlineConfiguration, defineConfig } from 'vitest/config'
import type { BrowserConfigOptions } from 'vitest/node'
import { sessionMirror } from './src/vite.ts'
import { testBackend } from './test/browser/backend.ts'
import { headlessShellArguments, headlessShellPath } from './test/support/chromium.ts'
import { isLong } from './test/support/counts.ts'
import { MixedSequencer } from './test/support/sequencer.ts'

const conditions = ['session-mirror-source', 'module', 'browser', 'development|production']
/** Test files at once: one more than cores, because many wait for lifetimes of seconds. */
const maxWorkers = availableParallelism() + 1
const sources = {
  resolve: { conditions },
  ssr: { resolve: { conditions: ['session-mirror-source', 'node'] } },
}

/** The tests that run in a browser's page, for one engine. */
export function browserProject(
  name: string,
  engine: Partial<BrowserConfigOptions>,
): TestProjectInlineConfiguration {
  return {
    ...sources,
    extends: false,
    root: import.meta.dirname,
    // Serves msw's worker, alone and together with ours, for the tests of the testing door; and a session server.
    plugins: [
      msw({ mode: 'worker-only' }),
      sessionMirror({ msw: true, path: '/mocked/worker.js' }),
      testBackend(),
    ],
    // The dependency optimizer would find these late and reload the page under a running test.
    optimizeDeps: { include: ['idb', 'workbox-window', 'msw', 'msw/browser', 'valibot'] },
    test: {
      name,
      include: ['test/**/*.browser.test.ts'],
      maxWorkers,
      browser: {
        enabled: true,
        screenshotFailures: false,
        instances: [{ browser: name === 'browser' ? 'chromium' : name }],
        ...engine,
      } as BrowserConfigOptions,
    },
  }
}

export default defineConfig({
  ...sources,
  root: 'demo',
  publicDir: false,
  plugins: [sessionMirror()],
  // Found late, they would reload the page under its first visitor.
  optimizeDeps: { include: ['idb', 'workbox-window'] },
  build: { outDir: join(import.meta.dirname, 'dist/demo'), emptyOutDir: true },
  test: {
    root: import.meta.dirname,
    maxWorkers,
    globalSetup: join(import.meta.dirname, 'test/support/announce.ts'),
    sequence: { sequencer: MixedSequencer },
    projects: [
      {
        ...sources,
        // The demo's page is no part of the tests.
        extends: false,
        root: import.meta.dirname,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/e2e/**', '**/node_modules/**'],
          environment: 'node',
          maxWorkers,
          // Each session object on such a store warns when it is made; the tests make hundreds.
          execArgv: ['--disable-warning=SESSION_MIRROR_STORE'],
          // How long a test may hang. No test waits for it, and a busy machine may take ten times as long as an idle one.
          testTimeout: isLong ? 900_000 : 120_000,
          hookTimeout: 60_000,
          // As long as it takes: what a poll waits for comes, or the test is wrong.
          expect: { poll: { timeout: 60_000, interval: 10 } },
          // Tests that are marked concurrent wait for lifetimes of seconds, and all of them may wait at once.
          maxConcurrency: 80,
        },
      },
      browserProject('browser', {
        headless: true,
        provider: playwright({
          launchOptions: { executablePath: headlessShellPath, args: headlessShellArguments },
        }),
      }),
      {
        ...sources,
        extends: false,
        root: import.meta.dirname,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          maxWorkers,
          testTimeout: isLong ? 1_800_000 : 300_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 60_000, interval: 10 } },
        },
      },
    ],
  },
})
