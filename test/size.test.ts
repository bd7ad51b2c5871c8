// What the browser downloads, minified and gzipped. A number here may only grow together with a reason.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle, workerScript } from '../scripts/build.ts'

const gzipped = (code: string): number => gzipSync(code).length

// Parsers that look at every member of what comes back from storage, tabs and wire: 800 bytes here, 500 in the worker.
// The page's 400 beyond that: createSession in parts with names, and errors that say the value at fault.
test('the page’s core, with idb, stays below 19.4 kB', async () => {
  const page = join(import.meta.dirname, '../src/index.ts')
  // Loaded later: what registers the worker, what holds the event stream, what looks for mistakes.
  const external = ['./register.ts', './live-events.ts', './doctor/diagnose.ts']
  expect(gzipped(await bundle(page, { minify: true, external }))).toBeLessThan(19_400)
})

test('what listens for live events stays below 1.5 kB', async () => {
  const live = join(import.meta.dirname, '../src/client/live-events.ts')
  expect(gzipped(await bundle(live, { minify: true }))).toBeLessThan(1500)
})

test('what registers the worker, with workbox-window, stays below 3.5 kB', async () => {
  const register = join(import.meta.dirname, '../src/client/register.ts')
  expect(gzipped(await bundle(register, { minify: true }))).toBeLessThan(3500)
})

test('the ready-made worker, whole, stays below 9.8 kB and imports nothing', async () => {
  const script = await workerScript()
  expect(gzipped(script)).toBeLessThan(9800)
  expect(script).not.toMatch(/\bimport\b|\bexport\b|importScripts/)
})
