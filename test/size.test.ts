// What the browser downloads, minified and gzipped. A number here may only grow together with a reason.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { workerScript } from '../scripts/build.ts'

const gzipped = (code: string): number => gzipSync(code).length

async function bundleOf(door: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'warn',
    resolve: { conditions: ['session-mirror-source'] },
    build: {
      write: false,
      minify: true,
      modulePreload: false,
      target: 'es2023',
      rolldownOptions: {
        input: join(import.meta.dirname, `../src/${door}.ts`),
        // workbox-window is loaded when the worker is registered, after the page has its session.
        external: ['workbox-window'],
        output: { format: 'es', codeSplitting: false },
        preserveEntrySignatures: 'exports-only',
      },
    },
  })
  const [output] = [result].flat()
  if (output === undefined || !('output' in output)) throw new Error('The build gave no output.')
  return output.output[0].code
}

test('the page’s core, with idb, stays below 15 kB', async () => {
  expect(gzipped(await bundleOf('index'))).toBeLessThan(15_000)
})

test('the ready-made worker, whole, stays below 5.7 kB and imports nothing', async () => {
  const script = await workerScript()
  expect(gzipped(script)).toBeLessThan(5700)
  expect(script).not.toMatch(/\bimport\b|\bexport\b|importScripts/)
})
