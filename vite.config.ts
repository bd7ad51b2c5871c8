// The demo's page, the tests of all rooms, and one condition: `session-mirror` means this checkout's sources.
import { join } from 'node:path'
import { playwright } from '@vitest/browser-playwright'
import { msw } from 'msw/vite'
import { type TestProjectInlineConfiguration, defineConfig } from 'vitest/config'
import type { BrowserConfigOptions } from 'vitest/node'
import { sessionMirror } from './src/vite.ts'
import { testBackend } from './test/browser/backend.ts'
import { chromiumArguments, chromiumPath } from './test/support/chromium.ts'

const conditions = ['session-mirror-source', 'module', 'browser', 'development|production']
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
      // Storage, workers and cookies belong to the origin, not to a test file.
      fileParallelism: false,
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
          // What takes a second on an idle machine takes ten on one that does something else.
          testTimeout: 30_000,
          // Tests that are marked concurrent wait for lifetimes of seconds, and all of them may wait at once.
          maxConcurrency: 80,
        },
      },
      browserProject('browser', {
        headless: true,
        provider: playwright({ launchOptions: { executablePath: chromiumPath, args: chromiumArguments } }),
      }),
      {
        ...sources,
        extends: false,
        root: import.meta.dirname,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          // Each file drives its own browser, server and memcached; two at a time would share two cores.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
