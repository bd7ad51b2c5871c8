// What the browser downloads, minified and gzipped. A number here may only grow together with a reason.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle, workerScript } from '../scripts/build.ts'

const gzipped = (code: string): number => gzipSync(code).length

// Parsers that look at every member of what comes back from storage, tabs and wire: 800 bytes here, 500 in the worker, which
// is built without idb's shortcuts and iterators (500) and with terser (200).
// The page's 700 for state that frameworks can hold: mistyped names and options are errors where no compiler sees them (500), and
// `known`, `expiresAt` and their events.
// The page's 200 for pages that are prerendered.
// The page's 2,300 to take a disk back that was sick, and to remember what is owed to it; 1,000 to give the server rest, and to call the
// app outside of locks; 800 for lists that leave out and parts that are loaded again; 600 for the end of what is shown offline, a
// sign-in that is no end, and limits that count all that is kept.
// The worker's 900: lists that leave out, and passing on whatever fails.
// The page's 200, and 80 of the worker, to keep all writes of one task in one transaction: a closing page loses those behind it.
// The page's 500 to boot from what a rendered page carries.
// The page's 300 for the session where there is no browser: a page that is rendered on a server imports the same module.
// The page's 400 beyond that: createSession in parts with names, and errors that say the value at fault.
test('the page’s core, with idb, stays below 26 kB', async () => {
  const page = join(import.meta.dirname, '../src/index.ts')
  // Loaded later: what registers the worker, what holds the event stream, what looks for mistakes.
  const external = ['./register.ts', './live-events.ts', './doctor/diagnose.ts']
  expect(gzipped(await bundle(page, { minify: true, external }))).toBeLessThan(26_000)
})

test('what listens for live events stays below 1.5 kB', async () => {
  const live = join(import.meta.dirname, '../src/client/live-events.ts')
  expect(gzipped(await bundle(live, { minify: true }))).toBeLessThan(1500)
})

test('what registers the worker, with workbox-window, stays below 3.5 kB', async () => {
  const register = join(import.meta.dirname, '../src/client/register.ts')
  expect(gzipped(await bundle(register, { minify: true }))).toBeLessThan(3500)
})

test('the ready-made worker, whole, stays below 10.3 kB and imports nothing', async () => {
  const script = await workerScript('terser')
  expect(gzipped(script)).toBeLessThan(10_300)
  expect(script).not.toMatch(/\bimport\b|\bexport\b|importScripts/)
})
