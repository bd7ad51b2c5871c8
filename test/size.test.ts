// What the browser downloads, minified and gzipped. A number here may only grow together with a reason.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle, workerScript } from '../scripts/build.ts'

const gzipped = (code: string): number => gzipSync(code).length

test('the page’s core, with idb, stays below 15.4 kB', async () => {
  const page = join(import.meta.dirname, '../src/index.ts')
  // workbox-window is loaded when the worker is registered, after the page has its session.
  expect(gzipped(await bundle(page, { minify: true, external: ['workbox-window'] }))).toBeLessThan(15_400)
})

test('the ready-made worker, whole, stays below 5.7 kB and imports nothing', async () => {
  const script = await workerScript()
  expect(gzipped(script)).toBeLessThan(5700)
  expect(script).not.toMatch(/\bimport\b|\bexport\b|importScripts/)
})
