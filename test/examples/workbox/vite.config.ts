import { join } from 'node:path'
import { type Plugin, defineConfig } from 'vite'
import { injectManifest } from 'workbox-build'
import { sessionMirror } from 'session-mirror/vite'

const outDir = join(import.meta.dirname, 'dist')

/** Workbox writes into the finished worker what is to be precached. */
const precache: Plugin = {
  name: 'precache',
  async closeBundle() {
    const sw = join(outDir, 'sw.js')
    const { count } = await injectManifest({
      swSrc: sw,
      swDest: sw,
      globDirectory: outDir,
      globIgnores: ['sw.js'],
    })
    if (count === 0) throw new Error('There is nothing to precache.')
  },
}

export default defineConfig({ plugins: [sessionMirror({ worker: 'worker.ts', path: '/sw.js' }), precache] })
